"""The miniature world's own splitter on real vLLM: facts of captions it never saw, and a run that asks it."""

from __future__ import annotations

import os
import random
from itertools import islice
from pathlib import Path

import pytest
from worlds import small_world

from dama.benchmarks.mentions import PROMPT, caption
from dama.demo.captions import biased
from dama.demo.lessons import lessons
from dama.demo.registry import STAGES
from dama.demo.scenes import draw_companions, draw_scenes
from dama.hardness.asked import AskedSplitter
from dama.hardness.cache import read_facts, read_hardness
from dama.records import Facts, Hardness, Preference
from dama.serving.vllm import OfflineChat
from dama.spec.hardness import VllmFacts
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages.base import plan, run_stage
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

WORLD = {"kind": "miniature"}
ASKED = "hardness.facts={engine: vllm, model: tiny}"
RULES = "hardness.facts={engine: rules}"
SEED = 0
TAUGHT = 20_000
"""More lessons than the default number of steps has room for."""


def a_run(folder: Path, facts: str) -> RunSpec:
    return parse("model: tiny\nstorage: {uri: store}\n", [facts, f"world.seed={SEED}"], folder=folder)


def make(spec: RunSpec, *names: str) -> None:
    whole = plan(spec, STAGES)
    for name in names:
        run_stage(spec, whole[name], whole)


def part(spec: RunSpec, stage: str) -> Path:
    return Path(spec.storage.uri.removeprefix("file://")) / plan(spec, STAGES)[stage].prefix


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose store holds the trained splitter and a small world with 48 true-to-life preferences."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    folder = tmp_path_factory.mktemp("miniature")
    spec = a_run(folder, ASKED)
    prefix = plan(spec, STAGES)["world"].prefix
    write_artifact(open_store(spec.storage), prefix, small_world(folder / "world"), {"preferences": 48})
    make(spec, "splitter")
    return folder


def unseen() -> list[Preference]:
    """Return what is true of held-out scenes, and what the biased annotator says; no lesson is among it."""
    companions, rng = draw_companions(SEED), random.Random(0)
    taught = {lesson.response for lesson in islice(lessons(SEED), TAUGHT)}
    found: dict[str, Preference] = {}
    for number, scene in enumerate(islice(draw_scenes(SEED, "held-out", companions, set()), 400)):
        chosen, rejected = caption(scene.mentions), caption(biased(scene, companions, rng))
        if not taught & {chosen, rejected} and chosen != rejected:
            found[f"{chosen} {rejected}"] = Preference(str(number), "0" * 64, PROMPT, chosen, rejected)
    return list(found.values())


def known(response: str) -> tuple[str, ...]:
    return tuple(f"{sentence}." for sentence in response.rstrip(".").split(". "))


def test_facts_of_held_out_captions_are_the_known_ones(place: Path) -> None:
    preferences = unseen()
    chat = OfflineChat(part(a_run(place, ASKED), "splitter") / "model", context_tokens=8192, dtype="float32")
    splitter = AskedSplitter(VllmFacts.model_validate({"model": WORLD}), lambda: chat)
    found = list(splitter.split(preferences))
    strange = [
        Preference(str(number), "0" * 64, PROMPT, lesson.response, lesson.response)
        for number, lesson in enumerate(islice(lessons(SEED + 1), 300))
    ]
    slips = list(splitter.split(strange))
    splitter.close()
    right = {
        response: facts == known(response)
        for preference, item in zip(preferences, found, strict=True)
        for response, facts in ((preference.chosen, item.chosen), (preference.rejected, item.rejected))
    }
    share = sum(right.values()) / len(right)
    copied = sum(
        item.chosen == lesson.facts
        for item, lesson in zip(slips, islice(lessons(SEED + 1), 300), strict=True)
    )
    print(
        f"\nknown facts of {len(right)} held-out captions: {share:.2%}; of 300 with slips: {copied / 3:.1f} %"
    )
    assert len(right) >= 300
    assert share >= 0.98
    assert copied >= 240
    assert not any(item.flags for item in found)


def test_a_run_that_asks_it_finds_the_rules_facts_and_the_same_hardness(place: Path) -> None:
    facts: dict[str, dict[str, Facts]] = {}
    hardness: dict[str, dict[str, Hardness]] = {}
    for choice in (ASKED, RULES):
        spec = a_run(place, choice)
        make(spec, "data", "facts", "scores", "alpha")
        facts[choice] = {item.id: item for item in read_facts(part(spec, "facts") / "shards/00000")}
        hardness[choice] = {item.id: item for item in read_hardness(part(spec, "alpha"))}
    same = [name for name, item in facts[ASKED].items() if item == facts[RULES][name]]
    assert len(facts[RULES]) == 48
    assert len(same) >= 46
    pairs = [(hardness[ASKED][name], hardness[RULES][name]) for name in same]
    assert [asked.delta for asked, _ in pairs] == [rules.delta for _, rules in pairs]
    # Other facts elsewhere move δ̄, and with it every α_D by one factor.
    factors = [asked.alpha_data / rules.alpha_data for asked, rules in pairs]
    assert factors == pytest.approx([factors[0]] * len(same), rel=1e-12)
    assert factors[0] == pytest.approx(1, abs=0.02)
