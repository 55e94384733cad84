"""Stage `facts`: both answers of every preference, split into facts."""

from __future__ import annotations

import logging
from typing import Any

from dama.errors import HardnessError
from dama.spec.run import RunSpec
from dama.stages.base import Stage, StageContext
from dama.stages.progress import counted, progress
from dama.stages.splitters import WORLD, asks_world, facts_key, require_splitter

log = logging.getLogger(__name__)


def _reads(spec: RunSpec) -> tuple[str, ...]:
    return (WORLD, "data") if asks_world(spec) and spec.world is not None else ("data",)


def _run(context: StageContext) -> dict[str, Any]:
    from collections import Counter

    from dama.data.table import PreferenceTable
    from dama.hardness.asked import many_fell_back
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
    if warning := many_fell_back(flags, written):
        log.warning(warning)
    return {
        "preferences": written,
        "chosen_facts": chosen,
        "rejected_facts": rejected,
        "flags": dict(sorted(flags.items())),
        "splitter": facts_key(context.spec),
    }


STAGE = Stage(
    name="facts",
    version=2,
    reads=_reads,
    key=facts_key,
    run=_run,
    title="split answers into facts",
    wanted=lambda spec: spec.hardness is not None,
    ready=require_splitter,
)
