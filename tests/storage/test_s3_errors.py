"""What a person is told when an S3 server refuses, fails or is not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rude_proxy import RudeProxy
from s3_servers import BUCKET, KEYS, SECRET, Server, free_port

from dama.errors import AccessRefused, ObjectMissing, StorageError, StoreFull, StoreUnreachable
from dama.spec.storage import StorageSpec
from dama.storage.s3 import S3Store


def _spec(address: str, **changes: object) -> StorageSpec:
    return Server("any", address).spec("prefix", **changes)


def _acts(store: S3Store, tmp_path: Path) -> list[Callable[[], object]]:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    return [
        lambda: store.put_bytes("a", b"x"),
        lambda: store.put_file("a", file),
        lambda: store.get_bytes("a"),
        lambda: store.get_file("a", tmp_path / "out"),
        lambda: store.size("a"),
        lambda: list(store.keys()),
        lambda: store.delete("a"),
    ]


def test_wrong_keys_are_refused(
    one_server: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = one_server("versitygw").spec("x")
    monkeypatch.setenv(KEYS["secret_key"], "not-the-secret")
    for act in _acts(S3Store.from_spec(spec), tmp_path):
        with pytest.raises(AccessRefused, match="refuses access") as caught:
            act()
        assert "not-the-secret" not in str(caught.value)
    monkeypatch.setenv(KEYS["access_key"], "nobody")
    with pytest.raises(AccessRefused, match=r"storage\.keys"):
        S3Store.from_spec(spec).get_bytes("a")


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEYS["secret_key"])
    with pytest.raises(AccessRefused, match=KEYS["secret_key"]):
        S3Store.from_spec(_spec("http://127.0.0.1:1"))


def test_without_any_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = S3Store.from_spec(_spec("http://127.0.0.1:1", keys=None))
    with pytest.raises(AccessRefused, match="no credentials"):
        store.get_bytes("a")


def test_boto_own_chain_is_used_without_named_keys(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester-access")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # the run file decides, not the environment
    store = S3Store.from_spec(server.spec("chain", keys=None))
    store.put_bytes("a", b"x")
    assert store.get_bytes("a") == b"x"


def test_a_missing_bucket_has_its_own_line(server: Server, tmp_path: Path) -> None:
    spec = server.spec("x").model_copy(update={"uri": "s3://no-such-bucket/x"})
    for act in _acts(S3Store.from_spec(spec), tmp_path):
        with pytest.raises(StorageError, match="there is no bucket 'no-such-bucket'") as caught:
            act()
        assert not isinstance(caught.value, ObjectMissing)


def test_an_unreachable_endpoint_is_named_and_soon(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    store = S3Store.from_spec(_spec(address))
    started = time.monotonic()
    for act in _acts(store, tmp_path)[:3]:
        with pytest.raises(StoreUnreachable, match=address):
            act()
    assert time.monotonic() - started < 10
    assert not (tmp_path / "out").exists()


class _Answers:
    """An S3 server that answers what it is told to, and counts how often it was asked."""

    def __init__(self, status: int, code: str, then: bytes | None = None, wait: float = 0.0) -> None:
        self.asked, answers = 0, self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers.asked += 1
                time.sleep(wait)
                good = then is not None and answers.asked > 1
                body = then if good and then is not None else f"<Error><Code>{code}</Code></Error>".encode()
                with suppress(ConnectionError):  # a client that waited long enough has gone
                    self.send_response(200 if good else status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_PUT = do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> _Answers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def answers() -> Iterator[Callable[..., _Answers]]:
    running: list[_Answers] = []

    def start(*args: object, **options: object) -> _Answers:
        running.append(_Answers(*args, **options).__enter__())  # type: ignore[arg-type]
        return running[-1]

    yield start
    for one in running:
        one.__exit__()


@pytest.mark.parametrize(
    ("status", "code", "error", "asked"),
    [
        (503, "SlowDown", StoreUnreachable, 2),
        (500, "InternalError", StoreUnreachable, 2),
        (507, "XMinioStorageFull", StoreFull, 1),
        (400, "QuotaExceeded", StoreFull, 1),
        (403, "RequestTimeTooSkewed", AccessRefused, 1),
        (400, "ExpiredToken", AccessRefused, 1),
        (400, "MalformedXML", StorageError, 1),
    ],
)
def test_answers_become_our_errors(
    answers: Callable[..., _Answers], status: int, code: str, error: type[StorageError], asked: int
) -> None:
    server = answers(status, code)
    with pytest.raises(error, match=code) as caught:
        S3Store.from_spec(_spec(server.address)).get_bytes("a")
    assert type(caught.value) is error
    assert server.asked == asked, "what may pass is tried again, what will not is not"


def test_a_passing_failure_is_tried_again(answers: Callable[..., _Answers]) -> None:
    server = answers(503, "SlowDown", then=b"data")
    assert S3Store.from_spec(_spec(server.address)).get_bytes("a") == b"data"
    assert server.asked == 2


def test_a_server_that_never_answers_is_unreachable(answers: Callable[..., _Answers], tmp_path: Path) -> None:
    server = answers(200, "late", wait=2.0)
    store = S3Store.from_spec(_spec(server.address, attempts=1, timeout_seconds=0.3))
    with pytest.raises(StoreUnreachable, match="does not answer"):
        store.put_bytes("a", b"x")
    with pytest.raises(StoreUnreachable, match="does not answer"):
        store.get_file("a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_cannot_be_put(s3: S3Store, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="nothing-here"):
        s3.put_file("a", tmp_path / "nothing-here")
    assert s3.size("a") is None


def test_the_prefix_keeps_runs_apart(server: Server) -> None:
    one, other, root = server.store("one"), server.store("one-more/deep"), server.store("")
    one.put_bytes("a", b"1")
    other.put_bytes("a", b"2")
    assert (one.get_bytes("a"), other.get_bytes("a")) == (b"1", b"2")
    assert root.get_bytes("one-more/deep/a") == b"2"
    assert list(one.keys()) == ["a"]
    assert root.uri == f"s3://{BUCKET}"


@pytest.mark.parametrize("act", [lambda store: store.get_bytes("a"), lambda store: list(store.keys())])
def test_an_answer_that_always_breaks_off_is_unreachable(
    one_server: Callable[[str], Server], act: Callable[[S3Store], object]
) -> None:
    server = one_server("versitygw")
    server.store("torn").put_bytes("a", b"x" * 1000)
    with RudeProxy(server.address, lambda request, came: "break off") as proxy:
        store = S3Store.from_spec(Server("proxy", proxy.address).spec("torn", attempts=3))
        with pytest.raises(StoreUnreachable, match=r"does not answer|after every retry"):
            act(store)
        assert proxy.treated["break off"] == 3
