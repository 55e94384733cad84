"""Packages that loggers need, looked for before anything is computed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from dama.errors import ToolMissing


def require_loggers(names: Sequence[str]) -> None:
    """Raise ToolMissing for loggers whose package is not installed, before anything is computed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissing(
            f"train.report_to names {', '.join(missing)}, and no such package is installed",
            do=f"pip install {' '.join(missing)}, or take it out of train.report_to",
        )
