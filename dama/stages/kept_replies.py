"""A judge's replies, kept in the store while it judges, so that no end of a stage loses what was paid for.

    <answers>/replies/<benchmark>-<judge>.jsonl    every reply to a prompt about these answers, so far

They lie below the artifact of the answers they are about, by judge, and stay there: a stage that was stopped
takes them up again, and so does one that scores the same answers in another mode. A reply counts for its very
prompt only, so whatever is found there is safe to use; what it comes to is a part of the scores' artifact.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dama.errors import ObjectMissing, StorageError
from dama.spec.evaluate import PublishedBenchmark
from dama.storage.base import Store

SAVE_SECONDS = 2.0
"""A kill loses the replies of so long at most; any other end loses none."""


def replies_key(answers: str, benchmark: PublishedBenchmark) -> str:
    """Return where the replies about the answers under the prefix `answers` lie, by who gives them."""
    judge = getattr(benchmark, "judge", None)
    asked = [] if judge is None else [judge.model, str(judge.base_url)]
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
    return f"{answers}/replies/{benchmark.kind}-{name}.jsonl"


@contextmanager
def kept_replies(store: Store, key: str, path: Path, pause: float = SAVE_SECONDS) -> Iterator[None]:
    """Take up what lies under `key` as the file `path`, and put there what the file grows by.

    That happens every `pause` seconds while the block runs and once more at its end, however it ends. Raises
    the StorageError of that last time.
    """
    with suppress(ObjectMissing):
        store.get_file(key, path)
    saved = path.stat().st_size if path.exists() else 0
    over = threading.Event()

    def save() -> None:
        nonlocal saved
        whole = path.read_bytes() if path.exists() else b""
        whole = whole[: whole.rfind(b"\n") + 1]  # a line may be half written just now
        if len(whole) > saved:
            store.put_bytes(key, whole)
            saved = len(whole)

    def save_now_and_then() -> None:
        while not over.wait(pause):
            try:
                save()
            except StorageError:
                continue  # told at the end, should it still be so

    thread = threading.Thread(target=save_now_and_then, name="dama-replies")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        save()
