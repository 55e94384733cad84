"""Which splitter a run file opens, what names its facts, and what is looked for before anything runs."""

from __future__ import annotations

import gc
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from odd_server import Act, Refuse, Reply, odd_server
from PIL import Image
from tiny_llama import write_bytes_tokenizer, write_llama_config

from dama.errors import HardnessError, ModelError, SpecError, ToolMissing
from dama.hardness.cache import read_facts
from dama.records import Preference
from dama.spec.hardness import VllmFacts
from dama.spec.load import dump, parse
from dama.spec.model import LocalModel
from dama.spec.run import RunSpec
from dama.stages import data, facts
from dama.stages.base import Planned, StageContext, plan, run_stage
from dama.stages.freeze import folder_digest, freeze
from dama.stages.splitters import asks_world, facts_key, open_splitter, require_splitter
from dama.storage.commit import read_commit
from dama.storage.local import LocalStore

PACKAGES = Path(__file__).parent.parent / "serving" / "packages"
STAGES = (data.STAGE, facts.STAGE)
SERVED = "{engine: served, model: split, base_url: 'http://localhost:9/v1'}"


def spec_of(folder: Path, part: str, *overrides: str) -> RunSpec:
    text = (
        "model: {kind: hub, id: owner/name, revision: " + "a0" * 20 + "}\n"
        "data: {kind: jsonl, uri: rows.jsonl}\n"
        "storage: {uri: store}\n"
        f"hardness: {{facts: {part}}}\n"
    )
    return parse(text, overrides, folder=folder)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    Image.new("RGB", (16, 16), (200, 90, 20)).save(tmp_path / "a.png")
    lines = [
        {"image": "a.png", "prompt": "What?", "chosen": f"Dog {n} runs.", "rejected": "A cat. It sleeps."}
        for n in range(4)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def made(spec: RunSpec) -> tuple[list[Any], dict[str, Any]]:
    """Return facts and meta of a run's stage `facts`."""
    planned = plan(spec, STAGES)
    for one in planned.values():
        run_stage(spec, one, planned)
    store = Path(spec.storage.uri)
    commit = read_commit(LocalStore(store), planned["facts"].prefix)
    assert commit is not None
    shards = [(store / planned["facts"].prefix / part).parent for part in sorted(commit.parts)]
    return [one for shard in shards for one in read_facts(shard)], dict(commit.meta)


def replies(request: dict[str, Any], before: int) -> Act:
    response = request["messages"][-1]["content"].partition("Response:\n")[2]
    return Reply("no list" if "Dog 2" in response else json.dumps([response]))


def test_a_served_model_splits_and_the_commit_says_which_it_was(rows: Path) -> None:
    with odd_server(replies) as server:
        spec = freeze(spec_of(rows, SERVED, f"hardness.facts.base_url={server.url}"))
        found, meta = made(spec)
    assert [one.chosen for one in found] == [(f"Dog {n} runs.",) for n in range(4)]
    assert {one.rejected for one in found} == {("A cat. It sleeps.",)}
    assert meta["flags"] == {"chosen:fallback": 1}
    assert meta["splitter"] == {
        "engine": "served",
        "model": "split",
        "base_url": server.url,
        "instruction": 1,
        "language": "en",
        "max_characters": 20_000,
        "max_facts": 64,
        "reply_tokens": 2048,
    }
    assert len(server.requests) == 5, "the rejected answers are equal, and asked about once"


def test_many_replies_that_cannot_be_read_are_told(rows: Path, caplog: pytest.LogCaptureFixture) -> None:
    with odd_server(lambda request, before: Reply("I cannot help with that.")) as server:
        made(freeze(spec_of(rows, SERVED, f"hardness.facts.base_url={server.url}")))
    early, late = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert "of the first 5 responses asked about, 5 got no reply that can be read" in early
    assert "8 of 8 responses (100 %) were split by rules" in late


def test_a_server_that_never_answers_fails_the_stage_and_leaves_no_facts(rows: Path) -> None:
    with odd_server(lambda request, before: Refuse(500)) as server:
        limits = [f"hardness.facts.base_url={server.url}", "hardness.facts.attempts=2"]
        spec = freeze(spec_of(rows, SERVED, *limits))
        with pytest.raises(
            HardnessError, match=r"does not answer after 2 tries .*see whether the server runs"
        ):
            made(spec)
    assert list(rows.glob("store/artifacts/facts/*/commit.json")) == []


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A stand-in for vLLM whose model repeats what it was asked, importable as vllm."""
    monkeypatch.syspath_prepend(PACKAGES)
    import vllm as standin

    yield standin
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        del sys.modules[name]


def test_vllm_is_opened_for_a_local_model_and_closed_when_the_stage_is_over(rows: Path, vllm: Any) -> None:
    write_llama_config(rows / "llama", max_position_embeddings=8192)
    write_bytes_tokenizer(rows / "llama")
    spec = freeze(spec_of(rows, "{engine: vllm, model: {kind: local, path: llama}, dtype: float16}"))
    found, meta = made(spec)
    assert len(found) == 4
    assert meta["flags"] == {"chosen:fallback": 4, "rejected:fallback": 4}
    (engine,) = vllm.opened
    assert (engine.model, engine.settings["dtype"]) == (str(rows / "llama"), "float16")
    assert len(engine.asked) == 5
    gc.collect()
    assert not engine.llm_engine.engine_core.running


def test_a_model_that_changed_after_freezing_is_refused(rows: Path, vllm: Any) -> None:
    write_llama_config(rows / "llama")
    spec = freeze(spec_of(rows, "{engine: vllm, model: {kind: local, path: llama}}"))
    (rows / "llama" / "more").write_text("x")
    with pytest.raises(
        ModelError, match=r"hardness\.facts\.model: the model in .* changed since the run was"
    ):
        made(spec)
    assert vllm.opened == []


def test_the_miniature_worlds_splitter_is_asked_in_float32(rows: Path, vllm: Any) -> None:
    write_llama_config(rows / "input" / "model", max_position_embeddings=8192)
    write_bytes_tokenizer(rows / "input" / "model")
    spec = parse("model: tiny", ["hardness.facts={engine: vllm, model: tiny}"], folder=rows)
    planned = Planned(facts.STAGE, "", "", ("splitter",))
    inputs = {"splitter": rows / "input"}
    context = StageContext(spec, LocalStore(rows), planned, inputs, {}, rows, rows)
    splitter = open_splitter(context)
    assert vllm.opened == [], "nothing is loaded before there is something to split"
    list(splitter.split([Preference("p", "", "What?", "A dog.", "A cat.")]))
    assert vllm.opened[0].settings["dtype"] == "float32"


@pytest.mark.parametrize(
    ("part", "override", "moves"),
    [
        (SERVED, "hardness.facts.model=other", True),
        (SERVED, "hardness.facts.base_url=http://elsewhere/v1", True),
        (SERVED, "hardness.facts.reply_tokens=99", True),
        (SERVED, "hardness.facts.max_facts=9", True),
        (SERVED, "hardness.facts.concurrency=1", False),
        (SERVED, "hardness.facts.attempts=1", False),
        (SERVED, "hardness.facts.timeout_seconds=1", False),
        (SERVED, "hardness.facts.key_env=MY_KEY", False),
        ("{engine: vllm}", "hardness.facts.model=llama-3-8b", True),
        ("{engine: vllm}", "hardness.facts.context_tokens=4096", True),
        ("{engine: vllm}", "hardness.facts.dtype=float16", True),
        ("{engine: vllm}", "hardness.facts.gpu_memory=0.5", False),
        ("{}", "hardness.facts.language=de", True),
    ],
)
def test_facts_are_named_by_what_they_depend_on_and_nothing_else(
    rows: Path, part: str, override: str, moves: bool
) -> None:
    before, after = (facts_key(spec_of(rows, part, *more)) for more in ([], [override]))
    assert (before != after) is moves


def test_facts_by_a_model_are_named_by_the_instruction_and_rules_are_not(rows: Path) -> None:
    assert facts_key(spec_of(rows, "{engine: vllm}")) == {
        "engine": "vllm",
        "model": {
            "kind": "hub",
            "id": "Qwen/Qwen2.5-7B-Instruct",
            "revision": "a09a35458c702b33eeacc393d103063234e8bc28",
        },
        "instruction": 1,
        "language": "en",
        "max_characters": 20_000,
        "max_facts": 64,
        "reply_tokens": 2048,
        "dtype": "auto",
        "context_tokens": 8192,
    }
    rules = {"engine": "rules", "language": "en", "max_characters": 20_000}
    assert facts_key(spec_of(rows, "{engine: rules}")) == rules
    assert facts_key(spec_of(rows, "{}", "hardness=null", "method=dpo")) is None


def test_a_local_model_is_frozen_by_its_bytes_and_named_by_them(rows: Path) -> None:
    for place in ("one", "two"):
        (rows / place).mkdir()
        (rows / place / "config.json").write_text("{}")
    specs = [
        freeze(spec_of(rows, f"{{engine: vllm, model: {{kind: local, path: {p}}}}}")) for p in ("one", "two")
    ]
    keys = [facts_key(spec) for spec in specs]
    assert keys[0] == keys[1]
    assert keys[0] is not None
    assert keys[0]["model"] == {"digest": folder_digest(rows / "one")}
    assert freeze(specs[0]) == specs[0]
    assert freeze(parse(dump(specs[0]), folder=Path("/elsewhere"))) == specs[0]
    (rows / "one" / "more").write_text("x")
    with pytest.raises(
        SpecError, match=r"hardness\.facts\.model\.digest: .* changed since the run was frozen"
    ):
        freeze(specs[0])


def test_a_local_model_that_is_not_there_is_told_when_the_run_is_frozen(rows: Path) -> None:
    spec = spec_of(rows, "{engine: vllm, model: {kind: local, path: nothing}}")
    with pytest.raises(ModelError, match=r"hardness\.facts\.model\.path: .*/nothing is no folder"):
        freeze(spec)


def test_the_miniature_worlds_splitter_is_an_input_of_its_own(rows: Path) -> None:
    tiny = parse("model: tiny", ["hardness.facts={engine: vllm, model: tiny}"], folder=rows)
    assert asks_world(tiny)
    assert facts.STAGE.reads(tiny) == ("splitter", "data")
    assert not asks_world(parse("model: tiny", folder=rows))
    assert facts.STAGE.reads(spec_of(rows, "{engine: vllm}")) == ("data",)


def test_a_package_that_is_not_there_is_told_before_anything_runs(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match="package vllm is not installed; to mend: pip install vllm"):
        require_splitter(spec_of(rows, "{engine: vllm}"))
    with pytest.raises(ToolMissing, match="package openai is not installed"):
        require_splitter(spec_of(rows, SERVED))
    require_splitter(spec_of(rows, "{engine: rules}"))
    require_splitter(spec_of(rows, "{}", "hardness=null", "method=dpo"))
    assert facts.STAGE.ready is require_splitter


def test_a_key_that_is_not_set_is_told_before_anything_runs(
    rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    spec = spec_of(rows, SERVED, "hardness.facts.key_env=MY_KEY")
    with pytest.raises(HardnessError, match=r"no key for model split: MY_KEY is not set in the environment"):
        require_splitter(spec)
    monkeypatch.setenv("MY_KEY", "hush")
    require_splitter(spec)
    assert "hush" not in dump(spec)


def test_presets_name_exact_commits(rows: Path) -> None:
    for word in ("qwen2.5-7b", "llama-3-8b"):
        spec = spec_of(rows, f"{{engine: vllm, model: {word}}}")
        assert spec.hardness is not None
        part = spec.hardness.facts
        assert isinstance(part, VllmFacts)
        assert not isinstance(part.model, LocalModel)
        assert re.fullmatch("[0-9a-f]{40}", part.model.model_dump()["revision"])
