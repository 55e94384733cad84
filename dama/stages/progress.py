"""How far long work has come, on stderr: a bar where a person looks on, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

Item = TypeVar("Item")
_PAUSE_SECONDS = 10.0


class Advance(Protocol):
    """Is told of items just done, and in a few words of how it goes."""

    def __call__(self, count: int, note: str = "") -> None:
        """Count `count` more items done; `note` replaces what was said before, if it says anything."""
        ...


@contextmanager
def progress(title: str, total: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """Give a function to call with the number of items just done; `total` is None when nobody knows.

    It may be given a few words on how it goes as well. On a terminal a bar is drawn and removed at the end;
    in a log a line is written every ten seconds. With `shown` false nothing is: of many ranks one speaks.
    """
    if not shown:
        yield lambda count, note="": None
    elif sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
    else:
        yield _lines(title, total)


def counted(items: Iterable[Item], advance: Callable[[int], None]) -> Iterator[Item]:
    """Yield `items`, telling `advance` of each."""
    for item in items:
        yield item
        advance(1)


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=total, note="")

        def advance(count: int, note: str = "") -> None:
            shown.advance(task, count)
            if note:
                shown.update(task, note=note)

        yield advance


def _lines(title: str, total: int | None) -> Advance:
    done, last, said = 0, time.monotonic(), ""

    def advance(count: int, note: str = "") -> None:
        nonlocal done, last, said
        done += count
        said = note or said
        now = time.monotonic()
        if now - last >= _PAUSE_SECONDS:
            last = now
            shown = f"{title}: {done}" + (f" of {total}" if total is not None else "")
            sys.stderr.write(shown + (f", {said}" if said else "") + "\n")
            sys.stderr.flush()

    return advance
