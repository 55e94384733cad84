"""The stages data, facts, scores and alpha, run as a run does: on a store, in order, once."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from dama.data.table import PreferenceTable
from dama.demo.stage import STAGE as WORLD
from dama.errors import DataError, HardnessError
from dama.hardness.cache import read_alpha, read_facts, read_hardness, read_scores
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages import alpha, data, facts, scores
from dama.stages.base import Planned, Stage, plan, run_stage
from dama.stages.freeze import freeze
from dama.stages.progress import counted, progress
from dama.storage.commit import read_commit, write_artifact
from dama.storage.local import LocalStore

STAGES: tuple[Stage, ...] = (data.STAGE, facts.STAGE, scores.STAGE, alpha.STAGE)
SHARD = "shards/00000"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random open_clip folder, made by the same hands as in tests/hardness."""
    from clips import write_tiny_clip

    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder with pictures and a JSONL file of eight rows, one of them bad."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    rows = []
    for number in range(8):
        image = Image.new("RGB", (32, 32), (number * 30, 90, 200 - number * 20))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        (folder / f"{number}.png").write_bytes(buffer.getvalue())
        chosen = "A red star on the left. " * (1 + number % 3)
        rejected = "A big circle at the top. A blue square."
        row = {"image": f"{number}.png", "prompt": "What?", "chosen": chosen, "rejected": rejected}
        rows.append(row | ({"image": "../x.png"} if number == 5 else {}))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def run_file(dataset: Path, clip: Path, store: Path, *overrides: str) -> RunSpec:
    text = yaml.safe_dump(
        {
            "name": "test",
            "model": {"kind": "hub", "id": "owner/name", "revision": "a0" * 20},
            "data": {"kind": "jsonl", "uri": str(dataset / "rows.jsonl")},
            "hardness": {"scorer": {"engine": "open_clip", "model": "local", "weights": str(clip)}},
            "storage": {"uri": str(store)},
            "cluster": {"gpus": 4},
        }
    )
    return freeze(parse(text, overrides, folder=store.parent))


def run_all(spec: RunSpec) -> dict[str, Planned]:
    planned = plan(spec, STAGES)
    for one in planned.values():
        run_stage(spec, one, planned)
    return planned


def test_four_stages_lead_from_rows_to_alpha(dataset: Path, clip_folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    planned = run_all(run_file(dataset, clip_folder, store))
    folders = {name: store / one.prefix for name, one in planned.items()}
    metas = {name: read_commit(LocalStore(store), one.prefix) for name, one in planned.items()}
    assert metas["data"] is not None
    assert metas["data"].meta == {
        "rows": 8,
        "preferences": 7,
        "quarantined": 1,
        "images": 7,
        "reasons": {"path leaves the image folder": 1},
    }
    ids = PreferenceTable(folders["data"]).ids()
    assert ids == [f"row-000000{n}" for n in (1, 2, 3, 4, 5, 7, 8)]
    assert [one.id for one in read_facts(folders["facts"] / SHARD)] == ids
    assert [(len(s.chosen), len(s.rejected)) for s in read_scores(folders["scores"] / SHARD)] == [
        (1 + n % 3, 2) for n in (0, 1, 2, 3, 4, 6, 7)
    ]
    assert list(read_alpha(folders["alpha"])) == ids
    assert metas["alpha"] is not None
    summary = json.loads((folders["alpha"] / "summary.json").read_text())
    assert metas["alpha"].meta == summary
    assert summary["splitter"]["engine"] == "rules"
    assert (summary["scorer"]["model"], summary["scorer"]["precision"]) == ("local", "float32")
    assert summary["scores"]["images"] == summary["scores"]["images_encoded"] == 7
    assert summary["scores"]["texts_encoded"] == 3
    assert summary["preferences"] == 7
    assert summary["facts"] == {"chosen": 12, "rejected": 14, "total": 26}
    deltas = [one.delta for one in read_hardness(folders["alpha"])]
    assert summary["mean_delta"] == pytest.approx(sum(deltas) / 7, abs=1e-12)
    made = json.loads((folders["scores"] / "made.json").read_text())
    assert made["preferences_per_second"] > 0


def test_equal_work_in_another_place_leaves_equal_commits(
    dataset: Path, clip_folder: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(dataset, tmp_path / "moved"))
    clip = Path(shutil.copytree(clip_folder, tmp_path / "clip"))
    here = run_all(run_file(dataset, clip_folder, tmp_path / "one"))
    there = run_all(run_file(moved, clip, tmp_path / "two"))
    for name in here:
        assert here[name].digest == there[name].digest
        commits = [read_commit(LocalStore(tmp_path / store), here[name].prefix) for store in ("one", "two")]
        assert commits[0] is not None
        assert commits[0] == commits[1]


def changed(dataset: Path, clip: Path, store: Path, *overrides: str) -> set[str]:
    """Return the stages whose artifact is another one under `overrides`."""
    before = plan(run_file(dataset, clip, store), STAGES)
    after = plan(run_file(dataset, clip, store, *overrides), STAGES)
    return {name for name in before if before[name].digest != after[name].digest}


@pytest.mark.parametrize(
    ("override", "moves"),
    [
        ("method.beta=0.2", set()),
        ("hardness.scorer.batch=3", set()),
        ("hardness.scorer.device=cpu", set()),
        ("hardness.scorer.model=ViT-B-32", set()),  # the folder says itself
        ("data.limit=5", {"data", "facts", "scores", "alpha"}),
        ("data.strict=true", {"data", "facts", "scores", "alpha"}),
        ("hardness.facts.max_characters=99", {"facts", "scores", "alpha"}),
        ("hardness.scorer.over_length=refuse", {"scores", "alpha"}),
        ("hardness.scorer.precision=bfloat16", {"scores", "alpha"}),
        ("hardness.aggregate=mean", {"alpha"}),
        ("hardness.form=scores", {"alpha"}),
    ],
)
def test_an_artifact_moves_with_what_it_depends_on_and_nothing_else(
    dataset: Path, clip_folder: Path, tmp_path: Path, override: str, moves: set[str]
) -> None:
    assert changed(dataset, clip_folder, tmp_path / "store", override) == moves


def test_other_data_is_another_artifact(dataset: Path, clip_folder: Path, tmp_path: Path) -> None:
    before = plan(run_file(dataset, clip_folder, tmp_path / "store"), STAGES)
    shutil.copy(dataset / "1.png", dataset / "2.png")
    after = plan(run_file(dataset, clip_folder, tmp_path / "store"), STAGES)
    assert before["data"].digest != after["data"].digest
    assert before["scores"].digest != after["scores"].digest


def test_data_that_changed_after_freezing_is_refused(
    dataset: Path, clip_folder: Path, tmp_path: Path
) -> None:
    spec = run_file(dataset, clip_folder, tmp_path / "store")
    shutil.copy(dataset / "1.png", dataset / "2.png")
    with pytest.raises(DataError, match="changed since the run was frozen"):
        run_all(spec)
    assert list(tmp_path.glob("store/artifacts/*/*/commit.json")) == []


def test_weights_that_changed_after_freezing_are_refused(
    dataset: Path, clip_folder: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copytree(clip_folder, tmp_path / "clip"))
    spec = run_file(dataset, clip, tmp_path / "store")
    (clip / "added.txt").write_text("x")
    with pytest.raises(HardnessError, match=r"CLIP weights in .* changed since the run was frozen"):
        run_all(spec)
    assert len(list(tmp_path.glob("store/artifacts/*/*/commit.json"))) == 2  # data and facts


def test_strict_data_leaves_nothing_behind(dataset: Path, clip_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 6 \(row-0000006\): path leaves the image folder"):
        run_all(run_file(dataset, clip_folder, tmp_path / "store", "data.strict=true"))
    assert list(tmp_path.glob("store/artifacts/**/*")) == []


def test_without_hardness_only_data_is_wanted(dataset: Path, clip_folder: Path, tmp_path: Path) -> None:
    spec = run_file(dataset, clip_folder, tmp_path / "store", "hardness=null", "method=dpo")
    assert list(plan(spec, STAGES)) == ["data"]


def test_unfrozen_data_is_named_by_its_place(dataset: Path, clip_folder: Path, tmp_path: Path) -> None:
    spec = run_file(dataset, clip_folder, tmp_path / "store")
    loose = spec.model_copy(update={"data": spec.data.model_copy(update={"digest": None})})
    other = spec.model_copy(
        update={"data": spec.data.model_copy(update={"digest": None, "uri": "/elsewhere"})}
    )
    assert data.STAGE.key(loose) != data.STAGE.key(other)
    assert "uri" not in data.STAGE.key(spec)


def test_the_miniature_world_goes_the_same_way(small_world: Path, tmp_path: Path) -> None:
    spec = parse("model: tiny\nstorage: {uri: store}\n", folder=tmp_path)
    planned, store = plan(spec, (WORLD, *STAGES)), LocalStore(tmp_path / "store")
    write_artifact(store, planned["world"].prefix, small_world, {})
    metas = {}
    for stage in STAGES:
        assert ("world" in stage.reads(spec)) == (stage.name in ("data", "scores"))
        metas[stage.name] = run_stage(spec, planned[stage.name], planned).commit.meta
    folders = {name: store.local(one.prefix) for name, one in planned.items()}
    assert metas["data"]["preferences"] == metas["alpha"]["preferences"] > 0
    assert metas["data"]["quarantined"] == 0
    table = PreferenceTable(folders["data"])
    (shard,) = table.shards()
    for preference, split in zip(table.take(shard), read_facts(folders["facts"] / SHARD), strict=True):
        sentences = [f"{part}." for part in preference.chosen.removesuffix(".").split(". ")]
        assert list(split.chosen) == sentences
        assert split.flags == ()
    assert not any(score.flags for score in read_scores(folders["scores"] / SHARD))


def test_loading_the_stages_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from dama.stages import alpha, data, facts, progress, scores\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pyarrow', 'boto3', 'PIL', 'open_clip', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_progress_writes_lines_into_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 11.0, 12.0, 30.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress("rows read", 40) as advance:
        assert list(counted(range(3), advance)) == [0, 1, 2]
        advance(7)
    assert capsys.readouterr().err == "rows read: 2 of 40\nrows read: 10 of 40\n"


def test_progress_can_be_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("rows read", None, shown=False) as advance:
        advance(1)
    assert capsys.readouterr().err == ""


def test_progress_draws_a_bar_on_a_terminal() -> None:
    program = (
        "from dama.stages.progress import progress\n"
        "with progress('rows [read]', 2) as advance:\n    advance(1)\n    advance(1)\n"
    )
    parent, child = os.openpty()
    try:
        environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        subprocess.run([sys.executable, "-c", program], stderr=child, env=environ, check=True)
        shown = os.read(parent, 1 << 16).decode()
    finally:
        os.close(parent)
        os.close(child)
    assert "rows [read]" in shown
    assert "2/2" in shown


@pytest.mark.skipif("DAMA_SAMPLE_DATA" not in os.environ, reason="DAMA_SAMPLE_DATA names no parquet file")
def test_twenty_photographs_get_their_alpha(clip_folder: Path, tmp_path: Path) -> None:
    source = Path(os.environ["DAMA_SAMPLE_DATA"])
    overrides = ["data.kind=rlaif-v", f"data.uri={source}"]
    spec = run_file(source.parent, clip_folder, tmp_path / "store", *overrides)
    planned = run_all(spec)
    factors = read_alpha(tmp_path / "store" / planned["alpha"].prefix)
    assert len(factors) == 20
    assert all(0.5 < factor < 1.6 for factor in factors.values())
