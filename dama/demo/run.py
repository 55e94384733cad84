"""The demo: one miniature world, aligned by several methods, compared on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dama.demo.registry import STAGES
from dama.errors import Problem, SpecError
from dama.spec.load import load
from dama.spec.presets import METHODS
from dama.spec.run import RunSpec
from dama.stages.base import Planned, plan

_RUN_FILE = """\
# The demo's run by {method}; `dama run {method}.yaml` repeats it, `--set train.seed=1` changes it.
name: demo-{method}
model: tiny          # a LLaVA of half a million weights, trained on the spot
method: {method}
world: {{seed: {seed}}}
{facts}train: {{seed: {seed}}}
storage: {{uri: .}}    # this folder: artifacts/ and runs/
"""
_FACTS = {
    "rules": "",
    "vllm": "hardness: {facts: {engine: vllm, model: tiny}}    # a Llama, trained on the spot too\n",
}
_SHOWN = ("response", "mention", "coverage")


def run_demo(
    folder: Path, seed: int = 0, methods: tuple[str, ...] = ("dpo", "dama"), facts: str = "rules"
) -> None:
    """Write a run file per method into `folder`, run each, compare them and print what came out.

    What is already made is reused, also between the methods. `facts` is who splits captions, rules or vllm.
    Raises SpecError for an unknown method, ToolMissing without vllm, StageFailed when a stage fails.
    """
    from rich.console import Console

    from dama.stages.pipeline import run_all

    _check(methods)
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    specs = {}
    for method in methods:
        file = write_run_file(folder, method, seed, facts)
        specs[method] = load(file)
        run_all(specs[method], STAGES, console, typed=str(file))
    for line in ending(specs, folder):
        console.print(line, markup=False)


def write_run_file(folder: Path, method: str, seed: int, facts: str = "rules") -> Path:
    """Write the demo's run file for `method` and splitter `facts` into `folder`; return where it is."""
    file = folder / f"{method}.yaml"
    file.write_text(_RUN_FILE.format(method=method, seed=seed, facts=_FACTS[facts]), encoding="utf-8")
    return file


def ending(specs: Mapping[str, RunSpec], folder: Path) -> list[str]:
    """Write the comparison of finished runs below `folder`; return the lines a person wants to see."""
    from dama.stages.freeze import freeze
    from dama.stages.publish import report_page
    from dama.stages.report import compare_runs
    from dama.storage.uri import open_store

    frozen = {method: freeze(spec) for method, spec in specs.items()}
    runs = {method: (spec, open_store(spec.storage), plan(spec, STAGES)) for method, spec in frozen.items()}
    first, store, whole = next(iter(runs.values()))
    lines = [f"before      {_results(first, whole, 'baseline')}"]
    lines += [
        f"after {method:<6}{_results(spec, whole, 'evaluate')}" for method, (spec, _, whole) in runs.items()
    ]
    if len(runs) > 1:
        page = str(compare_runs(list(runs.values()), folder / "comparison"))
    else:
        page = report_page(store, first.name) or "not written"
    return [*lines, f"report: {page}"]


def _results(spec: RunSpec, whole: Mapping[str, Planned], stage: str) -> str:
    """Return a stage's figures in one line."""
    from dama.storage.commit import read_commit
    from dama.storage.uri import open_store

    commit = read_commit(open_store(spec.storage), whole[stage].prefix)
    results = commit.meta["results"] if commit else []
    measures = {measure["name"]: measure for result in results for measure in result["measures"]}
    return "   ".join(f"{name} {measures[name]['value']:5.1f} %" for name in _SHOWN if name in measures)


def _check(methods: tuple[str, ...]) -> None:
    problems = [
        Problem("methods", f"'{method}'", wanted=", ".join(METHODS))
        for method in methods
        if method not in METHODS
    ]
    if not methods:
        problems.append(Problem("methods", "none", wanted=f"some of {', '.join(METHODS)}"))
    if problems:
        raise SpecError(problems, "demo")
