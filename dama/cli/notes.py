"""dama's own log lines on stderr: what a stage decided on its way, in a person's words."""

from __future__ import annotations

import logging
import os
import sys


class _Stderr(logging.Handler):
    """Writes to what `sys.stderr` is at the time: a progress bar puts itself there, and lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        mark = "warning: " if record.levelno >= logging.WARNING else ""
        sys.stderr.write(f"dama: {mark}{record.getMessage()}\n")


def show_notes() -> None:
    """Show what dama logs; of several ranks the first speaks."""
    logger = logging.getLogger("dama")
    logger.setLevel(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.ERROR)
    if not logger.handlers:
        logger.addHandler(_Stderr())
