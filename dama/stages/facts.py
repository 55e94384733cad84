"""Stage `facts`: both answers of every preference, split into facts."""

from __future__ import annotations

from typing import Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.progress import counted, progress


def _key(spec: RunSpec) -> dict[str, Any] | None:
    return None if spec.hardness is None else spec.hardness.facts.model_dump(mode="json")


def _run(context: StageContext) -> dict[str, Any]:
    from collections import Counter

    from dama.data.table import PreferenceTable
    from dama.hardness.cache import read_facts, write_facts
    from dama.stages.splitters import open_splitter

    splitter = open_splitter(context)
    preferences = PreferenceTable(context.inputs["data"])
    with progress("preferences split", len(preferences)) as advance:
        written = write_facts(context.out, counted(splitter.split(preferences), advance))
    if written != len(preferences):
        raise HardnessError(f"{len(preferences)} preferences came in, facts of {written} went out")
    flags: Counter[str] = Counter()
    chosen = rejected = 0
    for facts in read_facts(context.out):
        flags.update(facts.flags)
        chosen, rejected = chosen + len(facts.chosen), rejected + len(facts.rejected)
    return {
        "preferences": written,
        "chosen_facts": chosen,
        "rejected_facts": rejected,
        "flags": dict(sorted(flags.items())),
    }


STAGE = Stage(
    name="facts",
    version=1,
    reads=lambda spec: ("data",),
    key=_key,
    run=_run,
    title="split answers into facts",
    wanted=lambda spec: spec.hardness is not None,
)
