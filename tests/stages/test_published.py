"""Published benchmarks in a run file: read, frozen, named, measured with a judge, and shown."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from amber_folder import CAPTIONS, write_amber
from judge_server import judge_server
from mmhal_folder import write_mmhal
from PIL import Image

from dama.errors import DataError, JudgeError, SpecError
from dama.spec.evaluate import AmberBenchmark, MMHalBenchmark, ObjectHalBenchBenchmark
from dama.spec.load import dump, parse
from dama.spec.run import RunSpec
from dama.stages import baseline, baseline_answers
from dama.stages.base import Planned, Stage, plan, run_stage
from dama.stages.freeze import freeze
from dama.stages.published import frozen_benchmarks, judge_of, local_folders, open_benchmark
from dama.storage.commit import write_artifact
from dama.storage.uri import open_store

AMBER = "{kind: amber, data: amber, part: generative}"
MMHAL = "{kind: mmhal, data: mmhal, judge: {model: critic, key_env: null, base_url: 'http://127.0.0.1:9/v1'}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with amber/ and mmhal/, with small images."""
    write_amber(tmp_path / "amber")
    write_mmhal(tmp_path / "mmhal")
    for path in [f"amber/image/AMBER_{id}.jpg" for id in CAPTIONS] + [
        f"mmhal/images/i{n}.png" for n in range(9)
    ]:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        encoded = io.BytesIO()
        Image.new("RGB", (40, 30), "green").save(encoded, "PNG")
        (tmp_path / path).write_bytes(encoded.getvalue())
    return tmp_path


def a_run(folder: Path, *benchmarks: str, **changes: str) -> RunSpec:
    overrides = [
        f"evaluate.benchmarks=[{', '.join(benchmarks)}]",
        "evaluate.max_new_tokens=4",
        *(f"{key.replace('__', '.')}={value}" for key, value in changes.items()),
    ]
    text = "model: tiny\nmethod: dpo\nstorage: {uri: store}\ntrain: {threads: 1}\n"
    return parse(text, overrides, folder=folder)


def planned(spec: RunSpec) -> dict[str, Planned]:
    world = Stage("world", 1, lambda spec: (), lambda spec: "world", lambda context: {}, "world")
    return plan(spec, (world, baseline_answers.STAGE, baseline.STAGE))


def name_of(spec: RunSpec, stage: str = "baseline") -> str:
    return planned(spec)[stage].digest


def test_places_start_at_the_run_file_and_addresses_stay(folder: Path) -> None:
    spec = a_run(folder, AMBER, "{kind: object-halbench, data: 'hf://a/b@main', images: pictures}")
    amber, halbench = spec.evaluate.benchmarks
    assert isinstance(amber, AmberBenchmark)
    assert amber.data == str(folder / "amber")
    assert isinstance(halbench, ObjectHalBenchBenchmark)
    assert (halbench.data, halbench.images) == ("hf://a/b@main", str(folder / "pictures"))


@pytest.mark.parametrize(
    ("benchmark", "says"),
    [
        ("{kind: amber}", "evaluate.benchmarks.0.*data"),
        ("{kind: mmhal, data: x}", "evaluate.benchmarks.0.*judge"),
        ("{kind: mm-vet, data: x, judge: {model: a, max_cost: 3}}", "max_cost without a price"),
        ("{kind: mm-vet, data: x, judge: {model: a, base_url: 'http://me:pw@h/v1'}}", "holds credentials"),
        ("{kind: amber, data: x, part: some}", "evaluate.benchmarks.0.*part"),
        (f"{AMBER}, {AMBER}", "amber more than once"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(folder: Path, benchmark: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        a_run(folder, benchmark)


def test_freezing_names_the_files_and_refuses_others(folder: Path) -> None:
    frozen = freeze(a_run(folder, AMBER, "{kind: miniature}"))
    amber, miniature = frozen.evaluate.benchmarks
    assert isinstance(amber, AmberBenchmark)
    assert amber.digest is not None
    assert miniature.kind == "miniature"
    assert freeze(parse(dump(frozen), folder=folder)) == frozen
    (folder / "amber" / "safe_words.txt").write_text("dog")
    with pytest.raises(SpecError, match=r"benchmarks\.0\.digest: .*changed since the run was frozen"):
        freeze(frozen)


def test_hub_data_is_named_by_its_commit(folder: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    spec = a_run(folder, f"{{kind: amber, data: 'hf://a/b@{commit}'}}")
    (amber,) = frozen_benchmarks(spec)
    assert isinstance(amber, AmberBenchmark)
    assert (amber.data, amber.digest) == (f"hf://a/b@{commit}", None)


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({"evaluate__benchmarks__0__judge__concurrency": "2"}, False),
        ({"evaluate__benchmarks__0__judge__max_requests": "5"}, False),
        ({"evaluate__benchmarks__0__judge__model": "other"}, True),
        ({"evaluate__benchmarks__0__judge__base_url": "http://127.0.0.1:8/v1"}, True),
        ({"evaluate__benchmarks__0__mode": "official"}, True),
    ],
)
def test_only_what_changes_figures_changes_the_name(
    folder: Path, change: dict[str, str], moves: bool
) -> None:
    old, new = freeze(a_run(folder, MMHAL)), freeze(a_run(folder, MMHAL, **change))
    assert (name_of(old) != name_of(new)) == moves
    assert name_of(old, "baseline-answers") == name_of(new, "baseline-answers"), "the answers are the same"


@pytest.mark.parametrize(
    ("other", "moves"),
    [
        (AMBER.replace("generative", "all"), True),
        (AMBER.replace("part", "nouns: nltk-spacy, part"), False),
        (AMBER.replace("part", "mode: official, part"), False),
    ],
)
def test_answers_are_named_by_what_is_asked(folder: Path, other: str, moves: bool) -> None:
    old, new = freeze(a_run(folder, AMBER)), freeze(a_run(folder, other))
    assert (name_of(old, "baseline-answers") != name_of(new, "baseline-answers")) == moves
    assert name_of(old) != name_of(new)


def test_the_place_of_frozen_files_does_not_change_the_name(folder: Path) -> None:
    old = name_of(freeze(a_run(folder, AMBER)))
    shutil.move(folder / "amber", folder / "elsewhere")
    moved = a_run(folder, "{kind: amber, data: elsewhere, part: generative}")
    assert name_of(freeze(moved)) == old


def test_a_model_is_measured_on_published_benchmarks_with_a_judge(folder: Path, small_world: Path) -> None:
    with judge_server(lambda request, before: "Fine. Rating: 4") as server:
        benchmark = MMHAL.replace("http://127.0.0.1:9/v1", server.url)
        spec = a_run(folder, AMBER, benchmark)
        whole, store = planned(spec), open_store(spec.storage)
        write_artifact(store, whole["world"].prefix, small_world, {})
        asked = run_stage(spec, whole["baseline-answers"], whole).commit
        commit = run_stage(spec, whole["baseline"], whole).commit
    assert commit.parts.keys() == {
        "answers-amber.jsonl",
        "answers-mmhal.jsonl",
        "replies-mmhal.jsonl",
        "results.json",
    }
    assert asked.parts.keys() == {"shards/00000/answers-amber.jsonl", "shards/00001/answers-mmhal.jsonl"}
    assert asked.meta["answers"] == {"amber": 3, "mmhal": 9}
    amber, mmhal = commit.meta["results"]
    assert (amber["benchmark"], amber["n"]) == ("amber", 3)
    assert (mmhal["judge"], mmhal["details"]["requests"]) == ("critic-2026", 9)
    assert mmhal["measures"][0]["value"] == 4.0
    kept = (folder / "store" / whole["baseline"].prefix / "replies-mmhal.jsonl").read_text().splitlines()
    assert {json.loads(line)["reply"] for line in kept} == {"Fine. Rating: 4"}


def test_a_judge_without_its_key_is_known_before_anything_is_asked(folder: Path) -> None:
    spec = a_run(folder, AMBER, MMHAL.replace("null", "NO_SUCH_KEY"))
    with pytest.raises(JudgeError, match="NO_SUCH_KEY is not set"):
        baseline.STAGE.ready(spec)
    baseline_answers.STAGE.ready(spec)


def test_every_kind_opens_as_itself(folder: Path, tmp_path: Path) -> None:
    mmhal = MMHalBenchmark.model_validate(
        {"data": str(folder / "mmhal"), "judge": {"model": "critic", "key_env": None}}
    )
    assert judge_of(mmhal, tmp_path) is not None
    place, images = local_folders(mmhal, a_run(folder, AMBER).storage, tmp_path)
    assert (place, images) == (folder / "mmhal", None)
    assert open_benchmark(mmhal, place).name == "mmhal"
    amber = AmberBenchmark(data=str(folder / "amber"))
    assert judge_of(amber, tmp_path) is None
    assert open_benchmark(amber, folder / "amber").name == "amber"
    lost = AmberBenchmark(data=str(folder / "none"))
    with pytest.raises(DataError, match=r"amber: .*none is no folder"):
        local_folders(lost, a_run(folder, AMBER).storage, tmp_path)
