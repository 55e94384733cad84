"""Runs `python -m dama` as a person does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def dama(*arguments: str | Path, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Return what `dama ARGUMENTS` printed and its exit code; 80 columns, no colours."""
    return subprocess.run(
        [sys.executable, "-m", "dama", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", **environ},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
