"""A progress line says how it goes, where it is told."""

import os
import subprocess
import sys

import pytest

from dama.stages.progress import progress


def test_a_line_ends_with_the_last_word_on_how_it_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 11.0, 30.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress("training", 40) as advance:
        advance(10)
        advance(1, "loss 0.5")
        advance(1)
    assert capsys.readouterr().err == "training: 11 of 40, loss 0.5\ntraining: 12 of 40, loss 0.5\n"


def test_nothing_is_said_where_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 4, shown=False) as advance:
        advance(1, "loss 0.5")
    assert capsys.readouterr().err == ""


def test_a_bar_has_it_at_its_side() -> None:
    program = (
        "from dama.stages.progress import progress\n"
        "with progress('training', 2) as advance:\n    advance(1, 'loss [0.5]')\n    advance(1)\n"
    )
    parent, child = os.openpty()
    try:
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
        subprocess.run([sys.executable, "-c", program], stderr=child, env=environ, check=True)
        shown = os.read(parent, 1 << 16).decode()
    finally:
        os.close(parent)
        os.close(child)
    assert "2/2" in shown
    assert "loss [0.5]" in shown
