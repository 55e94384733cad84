"""What a stage has to say goes to stderr, once."""

import logging
from collections.abc import Iterator

import pytest

from dama.cli.notes import show_notes


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    logger = logging.getLogger("dama")
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.level, logger.propagate, logger.handlers = before


def test_notes_and_warnings_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_notes()
    show_notes()
    logging.getLogger("dama.train.trainer").info("training takes %s", "one pass")
    logging.getLogger("dama.train.run").warning("a checkpoint is passed over")
    assert (
        capsys.readouterr().err
        == "dama: training takes one pass\ndama: warning: a checkpoint is passed over\n"
    )


def test_other_ranks_keep_quiet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    show_notes()
    logging.getLogger("dama.train.trainer").info("training takes one pass")
    assert capsys.readouterr().err == ""
