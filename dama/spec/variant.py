"""A run with another model or fewer benchmarks, under a name of its own.

So that what is recorded of it does not take the place of what is recorded of the run itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from dama.errors import Problem, SpecError
from dama.spec.model import HubModel, LocalModel, ModelSpec
from dama.spec.paths import is_path
from dama.spec.run import RunSpec

_NAME = 31
"""Characters of the run's name that are kept, so that name, hyphen and mark are 40 at most."""


def with_model(spec: RunSpec, model: ModelSpec) -> RunSpec:
    """Return the run that starts from `model`."""
    return _renamed(spec, spec.model_copy(update={"model": model}))


def with_benchmarks(spec: RunSpec, kinds: Sequence[str]) -> RunSpec:
    """Return the run that is measured on its benchmarks `kinds` only, all if there are none.

    SpecError for one that it has not, and for a run that measures nothing.
    """
    there = [benchmark.kind for benchmark in spec.evaluate.benchmarks]
    if not there:
        do = "say what is to be asked: evaluate: {benchmarks: [{kind: amber, data: FOLDER}]}"
        raise SpecError([Problem("evaluate.benchmarks", "nothing is measured", do=do)])
    strange = [kind for kind in kinds if kind not in there]
    if strange:
        wanted = f"one of the run file's: {', '.join(there)}"
        raise SpecError([Problem("--benchmark", f"'{kind}'", wanted) for kind in strange], "command line")
    kept = tuple(one for one in spec.evaluate.benchmarks if not kinds or one.kind in kinds)
    if kept == spec.evaluate.benchmarks:
        return spec
    evaluate = spec.evaluate.model_copy(update={"benchmarks": kept})
    return _renamed(spec, spec.model_copy(update={"evaluate": evaluate}))


def model_at(place: str) -> ModelSpec:
    """Return the model at a folder, or the one called OWNER/NAME[@REVISION] on the hub; SpecError."""
    folder = Path(place.removeprefix("file://")).expanduser()
    if is_path(place) or folder.is_dir():
        return LocalModel(path=str(folder.resolve()))
    found = re.fullmatch(r"(?:hf://)?([\w.-]+/[\w.-]+)(?:@(\S+))?", place)
    if found is None:
        problem = Problem("--model", f"'{place}'", "a folder, or OWNER/NAME[@REVISION] of the hub")
        raise SpecError([problem], "command line")
    return HubModel(id=found[1], revision=found[2] or "main")


def _renamed(spec: RunSpec, changed: RunSpec) -> RunSpec:
    parts = changed.model_dump(mode="json", exclude={"name", "storage"})
    mark = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{spec.name[:_NAME].rstrip('-')}-{mark}"
    return RunSpec.model_validate(changed.model_copy(update={"name": name}).model_dump())
