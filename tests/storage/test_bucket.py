"""A bucket is made once; compose.yaml's public keys open nothing outside compose's network."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from s3_servers import KEYS, Server

from dama.errors import AccessRefused
from dama.spec.storage import StorageSpec
from dama.storage.keys import COMPOSE_HOST, PUBLIC_KEY
from dama.storage.s3 import S3Store, s3_client


def _store(server: Server, bucket: str, **changes: object) -> S3Store:
    spec = server.spec("", **changes)
    return S3Store.from_spec(spec.model_copy(update={"uri": f"s3://{bucket}/prefix"}))


def test_a_bucket_is_made_and_then_there(server: Server) -> None:
    bucket = f"made-{uuid.uuid4().hex[:8]}"
    store = _store(server, bucket)
    assert store.create_bucket()
    store.put_bytes("key", b"kept")
    assert not store.create_bucket()
    assert store.get_bytes("key") == b"kept"


def test_a_bucket_is_made_in_the_region_of_the_store(one_server: Callable[[str], Server]) -> None:
    server, bucket = one_server("moto"), f"made-{uuid.uuid4().hex[:8]}"
    assert _store(server, bucket, region="eu-central-1").create_bucket()
    assert server.client.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-central-1"


def test_wrong_keys_make_no_bucket(
    one_server: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS["secret_key"], "wrong")
    with pytest.raises(AccessRefused, match="refuses access"):
        _store(one_server("versitygw"), "refused").create_bucket()


def _spec(address: str | None) -> StorageSpec:
    return StorageSpec.model_validate(
        {"uri": "s3://bucket/prefix", "endpoint_url": address, "path_style": True, "keys": KEYS}
    )


@pytest.mark.parametrize("variable", KEYS.values())
@pytest.mark.parametrize("address", [None, "http://127.0.0.1:7070", "https://s3.example.org"])
def test_public_keys_are_refused_outside_compose(
    variable: str, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, PUBLIC_KEY)
    with pytest.raises(AccessRefused, match="which everybody knows"):
        s3_client(_spec(address))


def test_public_keys_are_accepted_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in KEYS.values():
        monkeypatch.setenv(variable, PUBLIC_KEY)
    assert COMPOSE_HOST in s3_client(_spec(f"http://{COMPOSE_HOST}:7070")).meta.endpoint_url
