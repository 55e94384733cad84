"""Facts, scores and alpha over a real S3 server that is busy, hangs up, breaks off, is slow, or is gone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pods
import pytest
from rude_proxy import Manner, RudeProxy
from s3_servers import ACCESS, BUCKET, KEYS, SECRET, Server, boto, free_port, versitygw
from small_runs import artifacts

from dama.errors import StoreUnreachable
from dama.spec.load import load
from dama.spec.run import RunSpec
from dama.stages.base import plan, run_stage
from dama.stages.freeze import freeze
from dama.stages.share import Share
from dama.storage.uri import open_store

PREFERENCES = 700
"""Two shards."""


@pytest.fixture(scope="module", autouse=True)
def _keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv(KEYS["access_key"], ACCESS)
        patch.setenv(KEYS["secret_key"], SECRET)
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with versitygw(tmp_path_factory.mktemp("s3")) as address:
        boto(address).create_bucket(Bucket=BUCKET)
        yield address


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pods.write_dataset(tmp_path_factory.mktemp("dataset"), PREFERENCES)


def spec_of(folder: Path, rows: Path, address: str | None, **changes: object) -> RunSpec:
    storage = None
    if address is not None:
        storage = Server("any", address).spec(folder.name, **changes).model_dump(mode="json")
    return freeze(load(pods.write_run(folder, rows, storage)))


def run_all(spec: RunSpec, *names: str) -> None:
    whole = plan(spec, pods.STAGES)
    for name in names or whole:
        run_stage(spec, whole[name], whole)


@pytest.fixture(scope="module")
def undisturbed(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a local store holds in the end."""
    spec = spec_of(tmp_path_factory.mktemp("undisturbed"), rows, None)
    run_all(spec)
    return artifacts(spec)


def rude(manner: Manner, one_of: int) -> Callable[[str, int], Manner]:
    """Treat one of so many requests badly whenever it comes for the first, third, ... time."""
    return lambda request, came: manner if came % 2 == 0 and crc32(request.encode()) % one_of == 0 else "well"


@pytest.mark.parametrize(
    ("manner", "one_of"),
    [
        ("busy", 4),
        ("hang up", 4),
        ("break off", 1),
        ("slow", 1),
    ],
)
def test_a_server_that_misbehaves_changes_nothing(
    tmp_path: Path, rows: Path, server: str, undisturbed: dict[str, bytes], manner: Manner, one_of: int
) -> None:
    folder = tmp_path / manner.replace(" ", "-")
    with RudeProxy(server, rude(manner, one_of)) as proxy:
        run_all(spec_of(folder, rows, proxy.address))
        assert proxy.treated[manner] >= 5
    assert artifacts(spec_of(folder, rows, server)) == undisturbed


def test_pods_on_a_rude_server_leave_the_same_bytes(
    tmp_path: Path, rows: Path, server: str, undisturbed: dict[str, bytes]
) -> None:
    manners: tuple[Manner, ...] = ("break off", "well", "slow", "hang up", "well", "busy", "well", "well")

    def any_of_them(request: str, came: int) -> Manner:
        return manners[crc32(request.encode()) % len(manners)] if came == 0 else "well"

    with RudeProxy(server, any_of_them) as proxy:
        spec = spec_of(tmp_path / "pods", rows, proxy.address)
        run_all(spec, "data")
        whole = plan(spec, pods.STAGES)
        for index in (1, 0):
            for name in ("facts", "scores"):
                outcome = run_stage(spec, whole[name], whole, Share(index, 2))
                assert (outcome.awaits is None) == (index == 0)
        run_all(spec, "alpha")
        assert all(proxy.treated[manner] for manner in manners)
    assert artifacts(spec_of(tmp_path / "pods", rows, server)) == undisturbed


def test_a_server_that_is_gone_ends_the_stage_with_one_line_and_the_next_run_goes_on(
    tmp_path: Path, rows: Path, server: str, undisturbed: dict[str, bytes], notes: Path
) -> None:
    folder = tmp_path / "gone"
    run_all(spec_of(folder, rows, server), "data")
    shards = 0

    def until_the_first_shard(request: str, came: int) -> Manner:
        return "busy" if shards else "well"

    with RudeProxy(server, until_the_first_shard) as proxy:
        spec = spec_of(folder, rows, proxy.address, attempts=2)
        whole = plan(spec, pods.STAGES)
        run_stage(spec, whole["facts"], whole, Share(0, 2))
        shards = 1
        with pytest.raises(
            StoreUnreachable, match=r"answers SlowDown for s3://.*, after every retry"
        ) as caught:
            run_stage(spec, whole["facts"], whole)
        assert "\n" not in str(caught.value)
    gone = spec_of(folder, rows, f"http://127.0.0.1:{free_port()}", attempts=1)
    with pytest.raises(StoreUnreachable, match=r"does not answer .*to mend: check storage\.endpoint_url"):
        run_stage(gone, whole["facts"], whole)
    run_all(spec_of(folder, rows, server))
    assert len(list(notes.glob("facts-*"))) == 2, "the shard that was there was not made again"
    assert artifacts(spec_of(folder, rows, server)) == undisturbed


def test_only_what_a_stage_reads_is_fetched(tmp_path: Path, rows: Path, server: str) -> None:
    spec = spec_of(tmp_path / "fetched", rows, server)
    run_all(spec, "data")
    store, whole = open_store(spec.storage), plan(spec, pods.STAGES)
    (images,) = [key for key in store.keys(whole["data"].prefix) if key.endswith(".bin")]
    store.delete(images)
    run_all(spec, "facts")
