"""A run file and its overrides become a spec; nothing wrong gets through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dama.errors import SpecError
from dama.spec.data import Jsonl, RlaifV
from dama.spec.load import dump, load, parse, read_yaml
from dama.spec.method import D2po, Dama, Dpo, Mdpo
from dama.spec.model import HubModel, LocalModel, MiniatureModel
from dama.spec.run import RunSpec

RUNS = Path(__file__).parent.parent / "runs"
HERE = Path("/somewhere")
LOCAL = "model: {kind: local, path: m}\ndata: {kind: jsonl, uri: d.jsonl}\n"


def read(text: str, *overrides: str) -> RunSpec:
    return parse(text, overrides, folder=HERE)


def problems(text: str, *overrides: str) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        read(text, *overrides)
    assert caught.value.exit_code == 2
    assert len({problem.path for problem in caught.value.problems}) == len(caught.value.problems)
    return {problem.path: str(problem) for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("word", "hub"), [("llava-7b", "llava-1.5-7b-hf"), ("llava-13b", "llava-1.5-13b-hf")]
)
def test_a_llava_preset_is_the_papers_setting(word: str, hub: str) -> None:
    spec = read(f"model: {word}")
    assert isinstance(spec.model, HubModel)
    assert spec.model.id == f"llava-hf/{hub}"
    assert re.fullmatch("[0-9a-f]{40}", spec.model.revision)  # one commit, not what a branch holds today
    assert isinstance(spec.data, RlaifV)
    assert spec.method == Dama(beta=0.1, keep=12, gamma=0.9, filter="both", reading="paper")
    train = spec.train
    assert (train.batch, train.ranks, train.per_device_batch, train.epochs) == (16, 4, 4, 4.0)
    assert (train.learning_rate, train.schedule, train.warmup, train.weight_decay) == (
        5e-7,
        "cosine",
        0.1,
        0.0,
    )
    assert (train.dtype, train.zero.stage, train.gradient_checkpointing) == ("bfloat16", 3, True)


def test_the_tiny_preset_brings_its_world() -> None:
    spec = read("model: tiny")
    assert isinstance(spec.model, MiniatureModel)
    assert (spec.data.kind, spec.train.device, spec.train.ranks) == ("miniature", "cpu", 2)
    assert spec.world is not None
    assert spec.hardness is not None
    assert spec.hardness.scorer.engine == "miniature"
    assert [benchmark.kind for benchmark in spec.evaluate.benchmarks] == ["miniature"]


@pytest.mark.parametrize(("word", "kind"), [("dpo", Dpo), ("d2po", D2po), ("mdpo", Mdpo), ("dama", Dama)])
def test_a_word_is_a_method_with_its_defaults(word: str, kind: type[Dpo]) -> None:
    assert read(f"model: tiny\nmethod: {word}").method == kind()
    assert read(f"model: tiny\nmethod: {{name: {word}, beta: 0.2}}").method == kind(beta=0.2)


def test_a_method_without_a_name_is_dama() -> None:
    assert read("model: tiny\nmethod: {keep: 8}").method == Dama(keep=8)


def test_what_is_written_out_wins_over_the_preset() -> None:
    spec = read("model: tiny\ntrain: {max_steps: 3}\ndata: {limit: 5}\nworld: {seed: 7}")
    assert (spec.train.max_steps, spec.train.learning_rate) == (3, 2e-5)
    assert (spec.data.kind, spec.data.limit) == ("miniature", 5)
    assert spec.world is not None
    assert spec.world.seed == 7


def test_another_kind_replaces_the_presets_part() -> None:
    spec = read("model: llava-7b\ndata: {kind: jsonl, uri: d.jsonl}")
    assert spec.data == Jsonl(uri="/somewhere/d.jsonl")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.seed=3", 3),
        ("train.learning_rate=1e-5", 1e-5),
        ("train.learning_rate=+2.5E-5", 2.5e-5),
        ("train.gradient_checkpointing=true", True),
        ("train.max_steps=null", None),
        ("train.schedule=linear", "linear"),
        ("evaluate.benchmarks.0.scenes=20", 20),
        ("evaluate.benchmarks=[]", ()),
        ("name=my-run", "my-run"),
        ("storage.uri=s3://bucket/a=b", "s3://bucket/a=b"),
        ("method={name: mdpo, keep: 8}", Mdpo(keep=8)),
        ("method.combine={kind: weighted_sum, rho: 0.25}", 0.25),
        ("hardness.scorer.batch=7", 7),
    ],
)
def test_overrides_have_types(override: str, value: object) -> None:
    found: Any = read("model: tiny", override)
    for step in override.partition("=")[0].split("."):
        found = found[int(step)] if step.isdecimal() else getattr(found, step)
    assert getattr(found, "rho", found) == value


def test_later_overrides_win() -> None:
    assert read("model: tiny\ntrain: {seed: 1}", "train.seed=2", "train.seed=3").train.seed == 3
    assert read("model: tiny", "method=dpo", "method.beta=0.5").method == Dpo(beta=0.5)
    assert read("model: tiny\nmethod: {keep: 8}", "method=dpo").method == Dpo()


def test_a_word_as_override_replaces_a_model_that_is_written_out() -> None:
    assert isinstance(read(LOCAL, "model=tiny", "data.kind=miniature").model, MiniatureModel)
    spec = read("model: llava-7b", "model=llava-13b", "model.revision=abc")
    assert spec.model == HubModel(id="llava-hf/llava-1.5-13b-hf", revision="abc")


def test_settings_of_the_scorer_need_no_engine_under_a_preset() -> None:
    spec = read("model: llava-7b", "hardness.scorer.batch=8")
    assert spec.hardness is not None
    assert (spec.hardness.scorer.engine, spec.hardness.scorer.batch) == ("open_clip", 8)


@pytest.mark.parametrize("override", ["train.seed", "=3", "train..seed=3", "train.seed=[", ".=1"])
def test_overrides_that_cannot_be_read_are_named(override: str) -> None:
    found = problems("model: tiny", override, "novalue")
    assert set(found) == {f"--set {override}", "--set novalue"}


def test_a_spec_is_frozen_and_hashes_by_value() -> None:
    spec = read("model: tiny")
    with pytest.raises(ValidationError, match="frozen"):
        spec.train.seed = 3  # type: ignore[misc]
    assert spec == read("model: tiny")


@pytest.mark.parametrize("file", sorted(RUNS.glob("*.yaml")), ids=lambda file: file.stem)
def test_writing_and_reading_again_changes_nothing(file: Path) -> None:
    spec = load(file)
    text = dump(spec)
    assert parse(text, folder=Path("/elsewhere")) == spec
    assert dump(parse(text, folder=Path("/elsewhere"))) == text


def test_paths_start_at_the_run_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "run.yaml"
    file.parent.mkdir()
    text = (
        "model: {kind: local, path: ../model}\n"
        "data: {kind: jsonl, uri: 'file:///data/d.jsonl', images: ~/images}\n"
        "hardness: {scorer: {engine: open_clip, weights: ./clip}}\n"
        "storage: {uri: runs, scratch: scratch}\n"
    )
    file.write_text(text)
    spec = load(file)
    assert isinstance(spec.model, LocalModel)
    assert isinstance(spec.data, Jsonl)
    assert spec.hardness is not None
    assert spec.model.path == str(tmp_path / "model")
    assert (spec.data.uri, spec.data.images) == ("/data/d.jsonl", str(Path("~/images").expanduser()))
    assert spec.hardness.scorer.model_dump()["weights"] == str(tmp_path / "deep" / "clip")
    assert spec.storage.uri == str(tmp_path / "deep" / "runs")
    assert spec.storage.scratch == str(tmp_path / "deep" / "scratch")


def test_addresses_and_words_are_no_paths() -> None:
    text = LOCAL + "hardness: {scorer: {engine: open_clip, weights: openai}}\nstorage: {uri: s3://bucket/x}"
    spec = read(text, "data.uri=s3://bucket/d.jsonl")
    assert spec.storage.uri == "s3://bucket/x"
    assert spec.hardness is not None
    assert spec.hardness.scorer.model_dump()["weights"] == "openai"
    assert isinstance(spec.data, Jsonl)
    assert spec.data.uri == "s3://bucket/d.jsonl"


def test_the_environment_is_not_consulted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(read("model: llava-7b"))
    for name in ("TRAIN_SEED", "SEED", "NAME", "MODEL", "DAMA_TRAIN_SEED", "STORAGE_URI", "AWS_REGION"):
        monkeypatch.setenv(name, "7")
    assert dump(read("model: llava-7b")) == before
    assert read("model: tiny\nname: a", "storage.uri=$HOME/x").storage.uri == "/somewhere/$HOME/x"


def test_numbers_are_numbers_and_words_words() -> None:
    text = "[5e-7, 1.5e3, .5e1, 1e5, 5, 0.5, e5, 1e, 2e-7x, '5e-7']"
    assert read_yaml(text) == [5e-7, 1500.0, 5.0, 1e5, 5, 0.5, "e5", "1e", "2e-7x", "5e-7"]


def test_yaml_anchors_and_merges_work() -> None:
    assert read_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}")["b"] == {"x": 1, "y": 2}
    spec = read("model: tiny\ntrain:\n  <<: {seed: 9}\n  max_steps: 2\n")
    assert (spec.train.seed, spec.train.max_steps) == (9, 2)


def facts_of(text: str, *overrides: str) -> dict[str, Any]:
    spec = parse(f"model: tiny\nhardness: {{facts: {text}}}", overrides, folder=Path("/x"))
    assert spec.hardness is not None
    return spec.hardness.facts.model_dump(mode="json")


def test_rules_find_the_facts_unless_another_engine_is_named() -> None:
    assert facts_of("{max_characters: 9}") == {"engine": "rules", "language": "en", "max_characters": 9}
    assert facts_of("{max_characters: 9}", "hardness.facts.language=de")["engine"] == "rules"
    assert facts_of("{}")["engine"] == "rules"
    assert facts_of("{}", "hardness.facts.language=de")["language"] == "de"


def test_words_stand_for_the_models_that_split() -> None:
    assert facts_of("{engine: vllm}")["model"]["id"] == "Qwen/Qwen2.5-7B-Instruct"
    llama = facts_of("{engine: vllm, model: llama-3-8b}")["model"]
    assert llama["id"] == "meta-llama/Meta-Llama-3-8B-Instruct"
    assert re.fullmatch("[0-9a-f]{40}", llama["revision"])
    assert facts_of("{engine: vllm, model: tiny}")["model"] == {"kind": "miniature"}
    assert facts_of("{}", "hardness.facts.engine=vllm", "hardness.facts.model=tiny")["model"] == {
        "kind": "miniature"
    }


def test_a_word_may_be_written_over() -> None:
    revised = facts_of("{engine: vllm, model: llama-3-8b}", "hardness.facts.model.revision=abc")["model"]
    assert revised == {"kind": "hub", "id": "meta-llama/Meta-Llama-3-8B-Instruct", "revision": "abc"}
    local = facts_of("{engine: vllm, model: tiny}", "hardness.facts.model={kind: local, path: m}")["model"]
    assert local["path"] == "/x/m"


def test_the_name_at_an_endpoint_is_no_word() -> None:
    found = facts_of("{engine: served, base_url: 'http://localhost:8000/v1', model: anything}")
    assert (found["model"], found["key_env"]) == ("anything", None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "{engine: vllm, model: gpt}",
            r"hardness\.facts\.model: 'gpt'; wanted qwen2\.5-7b, llama-3-8b, tiny",
        ),
        ("{engine: served, model: x}", r"hardness\.facts\.base_url: missing"),
        ("{engine: other}", r"hardness\.facts\.engine: 'other'; wanted rules, vllm, served"),
        ("{engine: vllm, context_tokens: 99}", "reply_tokens 2048 leaves no room to ask"),
        ("{engine: served, model: x, base_url: 'http://me:hush@h/v1'}", "holds credentials or a query"),
        ("{engine: served, model: x, base_url: 'http://h/v1?key=hush'}", "holds credentials or a query"),
        (
            "{engine: served, model: x, base_url: 'h/hush'}",
            r"hardness\.facts\.base_url: what is written there",
        ),
    ],
)
def test_what_is_wrong_with_the_facts_part_is_told_and_keys_are_not(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says) as error:
        facts_of(text)
    assert "hush" not in str(error.value)
