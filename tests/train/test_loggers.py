"""Loggers: TensorBoard's curves are the metrics, go on where a training does, and lie in the run's folder."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from trainings import Result, run_training, small_training

from dama.errors import StoreUnreachable, ToolMissing
from dama.stages.logger_packages import require_loggers
from dama.storage.local import LocalStore
from dama.train.tensorboard import EventFiles, tag

PACKAGES = Path(__file__).parent / "packages"
SPEED = {"preferences_per_second", "tokens_per_second", "mfu", "memory_gib", "seconds_left"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def stopped_and_resumed(folder: Path) -> Result:
    """Six steps: stopped by step 6, taken up at 4; step 5 was logged twice."""
    layout: dict[str, Any] = {"steps": 6, "save_every_steps": 2, "passes": "one"}
    poison = {"what": "gradient", "after": 5}
    first = run_training(folder, folder / "out", loggers=True, poison=poison, **layout)
    assert first.returncode != 0
    assert "step 6: loss" in first.log
    second = run_training(folder, folder / "out", loggers=True, **layout)
    assert second.returncode == 0, second.log
    assert second.resumed_from == 4
    return second


def _curves(out: Path) -> Any:
    """Read every event file of a run, as TensorBoard itself does."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "runs" / "small" / "tensorboard"))
    events.Reload()
    return events


def test_the_curves_are_the_metrics_each_step_once(stopped_and_resumed: Result) -> None:
    events = _curves(stopped_and_resumed.weights.parent)
    for name in ("loss", "reward_margin", "alpha_model", "beta_combined_max", "grad_norm", "kept_fraction"):
        points = [(point.step, point.value) for point in events.Scalars(tag(name))]
        wanted = [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in stopped_and_resumed.metrics]
        assert points == wanted, name


def test_tags_are_grouped_and_speed_is_among_them(stopped_and_resumed: Result) -> None:
    tags = set(_curves(stopped_and_resumed.weights.parent).Tags()["scalars"])
    assert tags >= {"train/loss", "rewards/chosen", "rewards/margin", "factors/beta_combined_mean",
                    "gap/hardest_quarter", "speed/preferences_per_second", "speed/memory_gib"}  # fmt: skip
    assert not tags & {"train/step", "train/seconds_left", "train/batch"}


def test_the_run_file_is_shown(stopped_and_resumed: Result) -> None:
    events = _curves(stopped_and_resumed.weights.parent)
    (shown,) = {
        event.tensor_proto.string_val[0].decode() for event in events.Tensors("run_file/text_summary")
    }
    assert "| train.batch | 16 |" in shown
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_nothing_that_tells_the_time_is_in_the_metrics(stopped_and_resumed: Result) -> None:
    assert not any(SPEED & row.keys() for row in stopped_and_resumed.metrics)
    notes = json.loads((stopped_and_resumed.weights.parent / "notes.json").read_text())
    assert notes["preferences_per_second"] > 0
    assert notes["tokens_per_second"] > notes["preferences_per_second"]
    assert notes["memory_gib"] > 0
    assert notes["mfu"] is None  # on the CPU


def test_others_are_told_through_transformers_callbacks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes.jsonl"))
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    monkeypatch.delenv("WANDB_RESUME", raising=False)
    result = run_training(
        folder, tmp_path / "out", steps=2, loggers=True, packages=PACKAGES, report_to=["wandb", "mlflow"]
    )
    assert result.returncode == 0, result.log
    notes = [json.loads(line) for line in (tmp_path / "notes.jsonl").read_text().splitlines()]
    by = {who: [note for note in notes if note["by"] == who] for who in ("wandb", "mlflow")}
    assert by["wandb"][0] | {"rank": "0"} == {
        "by": "wandb", "rank": "0", "what": "init", "name": "small", "id": "0123456789abcdef" * 2,
        "resume": "allow",
    }  # fmt: skip
    logged = [note["values"] for note in by["wandb"] if note["what"] == "log"]
    assert [values["train/global_step"] for values in logged] == [1, 2]
    assert [values["train/loss"] for values in logged] == [row["loss"] for row in result.metrics]
    (shown,) = [note["content"]["run_file"] for note in by["wandb"] if "run_file" in note.get("content", {})]
    assert shown["train"]["batch"] == 16
    metrics = [note for note in by["mlflow"] if note["what"] == "metrics"]
    assert [(note["step"], note["metrics"]["loss"]) for note in metrics] == [
        (row["step"], row["loss"]) for row in result.metrics
    ]
    assert {note["what"] for note in by["mlflow"]} == {"start", "params", "dict", "metrics", "end"}
    assert by["mlflow"][0]["name"] == "small"
    assert not (tmp_path / "out" / "runs").exists()  # no TensorBoard where it is not named


def test_a_logger_that_is_not_installed_is_refused_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ToolMissing, match=r"names wandb, and no such package .* pip install wandb, or take"):
        require_loggers(["tensorboard", "wandb"])
    require_loggers(["tensorboard"])


def test_the_train_stage_refuses_it_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dama.demo.stage import STAGE as WORLD
    from dama.spec.load import parse
    from dama.stages.base import plan, run_stage
    from dama.stages.registry import STAGES

    monkeypatch.setitem(sys.modules, "mlflow", None)
    spec = parse("model: tiny\n", ["train.report_to=[mlflow]"], folder=tmp_path)
    whole = plan(spec, (WORLD, *STAGES))
    with pytest.raises(ToolMissing, match="pip install mlflow"):  # though there is no input at all
        run_stage(spec, whole["train"], whole)


class _Far(LocalStore):
    """A store that is no local folder, and counts what is sent to it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.sent: list[str] = []

    def local(self, key: str) -> Path:
        return None  # type: ignore[return-value]

    def put_file(self, key: str, path: Path, progress: Any = None) -> None:
        self.sent.append(key)
        super().put_file(key, path, progress)


def _grow(events: EventFiles, text: bytes) -> None:
    events.folder.mkdir(parents=True, exist_ok=True)
    (events.folder / "events.1").write_bytes(text)


def test_event_files_are_copied_to_a_far_store_when_they_have_grown(tmp_path: Path) -> None:
    store = _Far(tmp_path / "store")
    for text in (b"one", b"one", b"one and two"):
        events = EventFiles(store, "runs/r/tensorboard", tmp_path / "scratch")
        _grow(events, text)
        events.sync()
        events.finish()
    assert store.get_bytes("runs/r/tensorboard/events.1") == b"one and two"
    assert store.sent == ["runs/r/tensorboard/events.1"] * 3  # once each, though asked twice


def test_nothing_is_copied_before_anything_is_drawn(tmp_path: Path) -> None:
    store = _Far(tmp_path / "store")
    EventFiles(store, "runs/r/tensorboard", tmp_path / "scratch").finish()
    assert store.sent == []


class _Away(_Far):
    """A store that is away while `away` is set, and that makes who copies wait while `hold` is not."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.away, self.hold = True, threading.Event()

    def put_file(self, key: str, path: Path, progress: Any = None) -> None:
        self.hold.wait()
        if self.away:
            raise StoreUnreachable(f"nobody answers for {key}")
        super().put_file(key, path, progress)


def test_a_store_that_is_away_neither_ends_nor_halts_a_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = _Away(tmp_path / "store")
    events = EventFiles(store, "runs/r/tensorboard", tmp_path / "scratch")
    _grow(events, b"one")
    events.sync()  # comes back though the store holds the copy up
    events.sync()
    store.hold.set()
    events.finish()
    assert "nobody answers" in caplog.text
    assert store.sent == []

    store.away = False
    again = EventFiles(store, "runs/r/tensorboard", tmp_path / "scratch")
    again.finish()
    assert store.get_bytes("runs/r/tensorboard/events.1") == b"one"


def test_event_files_are_written_in_a_local_store_itself(tmp_path: Path) -> None:
    events = EventFiles(LocalStore(tmp_path), "runs/r/tensorboard", tmp_path / "scratch")
    assert events.folder == tmp_path / "runs" / "r" / "tensorboard"
