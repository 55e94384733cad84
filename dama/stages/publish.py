"""What a run leaves for people and scripts in its own folder: the report's files and summary.json."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from dama.spec.run import RunSpec
from dama.stages.base import Planned
from dama.storage.base import Store
from dama.storage.commit import fetch_artifact, read_commit
from dama.storage.layout import run_prefix
from dama.storage.whole import told

SUMMARY = "summary.json"


def publish(store: Store, spec: RunSpec, whole: Mapping[str, Planned]) -> None:
    """Copy the report artifact's files to runs/<name>/report/ and its summary to runs/<name>/summary.json."""
    if "report" not in whole:
        return
    prefix = whole["report"].prefix
    commit = read_commit(store, prefix)
    if commit is None:
        return
    run = run_prefix(spec.name)
    with tempfile.TemporaryDirectory(prefix="dama-report-", dir=spec.storage.scratch) as scratch:
        folder = fetch_artifact(store, prefix, commit, Path(scratch))
        for name in sorted(commit.parts):
            store.put_file(f"{run}/report/{name}", folder / name)
        if SUMMARY in commit.parts:
            store.put_file(f"{run}/{SUMMARY}", folder / SUMMARY)
    for key in list(store.keys(f"{run}/report/")):
        if key.removeprefix(f"{run}/report/") not in commit.parts:
            store.delete(key)


def report_page(store: Store, run: str) -> str | None:
    """Return where the run's report page lies (a path, or an address), None when it has none."""
    key = f"{run_prefix(run)}/report/report.html"
    if store.size(key) is None:
        return None
    path = store.local(key)
    return str(path) if path is not None else f"{store.uri}/{key}"


def copied_report(store: Store, run: str, folder: Path) -> Path:
    """Copy the report that a run has published into `folder`; return the page. What else lies there stays."""
    start = f"{run_prefix(run)}/report/"
    for key in store.keys(start):
        path = folder / key.removeprefix(start)
        with told(folder):
            path.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(key, path)
    return folder / "report.html"
