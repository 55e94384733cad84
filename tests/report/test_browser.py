"""The page in a real browser, where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from synthetic_run import make_run

from dama.report.page import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH")


def dump(page: Path, profile: Path) -> str:
    assert BROWSER is not None
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --disable-dev-shm-usage --dump-dom"
    )
    command = [BROWSER, *flags.split(), f"--user-data-dir={profile}", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def test_browser_sees_the_whole_page(tmp_path: Path) -> None:
    write_report(make_run(tmp_path / "run", steps=60), tmp_path / "out")
    dom = dump(tmp_path / "out" / "report.html", tmp_path / "profile")
    assert 'id="verdict">response-level non-hallucination 60.2 → 80.4 (+20.2)</p>' in dom
    assert len(re.findall("<svg ", dom)) == 9
    assert dom.count("<figure>") == dom.count("</figure>") == 9
    assert dom.count('src="data:image/jpeg;base64,') == 10
    # A browser moves what it cannot nest: sections that stayed children of main were well nested.
    assert re.findall(r'<section id="(\w+)">', dom) == [
        "results",
        "training",
        "beta",
        "hardness",
        "time",
        "data",
        "provenance",
    ]
    assert dom.index("</main>") > dom.index('<section id="provenance">')
