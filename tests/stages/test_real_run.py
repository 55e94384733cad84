"""The real stages, as a person runs them: every artifact made once, and whole whatever kills them."""

import json
import random
import signal
import time
from pathlib import Path

import pytest
from real_runs import ALL, finish, kill_all, parts, planned, start, write_run

from dama.model.load import load_model
from dama.report.summary import Summary

NAMES = [stage.name for stage in ALL]


@pytest.fixture(scope="module")
def run(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    file = write_run(tmp_path_factory.mktemp("run"), small_world)
    text = finish(start("run", file))
    assert text.count("done in") == len(NAMES) - 1  # the world was there
    return file


def test_every_stage_left_its_artifact(run: Path) -> None:
    assert all(parts(run, name) for name in NAMES)


def test_the_summary_holds_results_counts_durations_and_digests(run: Path) -> None:
    raw = (run.parent / "store" / "runs" / "small" / "summary.json").read_bytes()
    summary = Summary.model_validate_json(raw)
    assert summary.method == "dama"
    assert {result.measure for result in summary.results} >= {"response", "mention", "coverage"}
    assert summary.steps == 6
    text = json.loads(raw)
    assert text["artifacts"].keys() >= {"data", "alpha", "reference", "train"}


def test_the_trained_model_loads_where_models_are_loaded(run: Path) -> None:
    spec, whole = planned(run)
    folder = Path(spec.storage.uri) / whole["train"].prefix / "model"
    loaded = load_model(folder)  # AutoModelForImageTextToText, with no weight missing
    assert loaded.processor.tokenizer.eos_token == "</s>"
    assert "dama (beta 0.1)" in (folder / "README.md").read_text()


def test_the_curves_lie_in_the_runs_own_folder_and_the_pace_beside_the_artifact(run: Path) -> None:
    spec, whole = planned(run)
    store = Path(spec.storage.uri)
    (events,) = (store / "runs" / "small" / "tensorboard").glob("*/*")  # one file, of several ranks
    assert spec.train.ranks > 1
    assert events.name.startswith("events.out.tfevents.")
    made = json.loads((store / whole["train"].prefix / "made.json").read_text())
    assert made["preferences_per_second"] > 0
    assert made["memory_gib"] > 0
    assert "preferences_per_second" not in (store / whole["train"].prefix / "metrics.jsonl").read_text()


def test_a_second_run_takes_no_stage_again(run: Path) -> None:
    text = finish(start("run", run))
    assert "done in" not in text
    assert text.count("reused") == len(NAMES)


def test_measuring_a_finished_run_only_prints(run: Path) -> None:
    text = finish(start("evaluate", run))
    assert "done in" not in text
    assert text.count("reused") == 5
    table = text[text.index("benchmark ") :]
    assert "before: miniature, version 1, 12 questions" in table
    assert "report: " in table
    there = json.loads((run.parent / "store" / "runs" / "small" / "evaluation" / "result.json").read_text())
    spec, whole = planned(run)
    for model, stage in zip(there["models"], ("baseline", "evaluate"), strict=True):
        raw = (Path(spec.storage.uri) / whole[stage].prefix / "results.json").read_text()
        assert model["results"] == json.loads(raw)["results"]


@pytest.mark.slow
def test_a_checkpoint_that_stands_in_is_measured_as_the_run_measures(run: Path, tmp_path: Path) -> None:
    spec, whole = planned(run)
    trained = Path(spec.storage.uri) / whole["train"].prefix / "model"
    first = start("evaluate", run, "--model", trained, "--shard", "0/2", "--json", "--out", tmp_path)
    assert "left to the process that makes the last shard" not in finish(first), "there is one shard"
    (found,) = (json.loads(file.read_text()) for file in tmp_path.glob("result.json"))
    before, after = found["models"]
    name = after["name"]
    assert (before["name"], name) == ("before", "model")
    for model, stage in ((before, "baseline"), (after, "evaluate")):
        raw = (Path(spec.storage.uri) / whole[stage].prefix / "results.json").read_text()
        assert model["results"] == json.loads(raw)["results"]
    again = finish(start("evaluate", run, "--model", trained))
    assert "done in" not in again
    summary = run.parent / "store" / "runs" / "small" / "summary.json"
    assert summary.exists(), "the run's own records stay as they are"


@pytest.mark.slow
def test_another_beta_reuses_all_but_training(run: Path) -> None:
    text = finish(start("run", run, "--set", "method.beta=0.2", "--set", "name=other"))
    assert text.count("reused") == len(NAMES) - 4
    for name in ("train", "answers", "evaluate", "report"):
        assert f"{name}: " in text


@pytest.mark.slow
def test_kill_9_in_every_stage_leaves_the_same_bytes(run: Path, small_world: Path, tmp_path: Path) -> None:
    """Each stage is killed twice at a random moment of its work, then repeated.

    The report tells how long stages took, so it is compared with its own second making: killed, then
    repeated, its page is the one that an undisturbed making gives.
    """
    file = write_run(tmp_path, small_world)
    chance = random.Random(0)
    for name in NAMES[1:]:
        for _ in range(2):
            _kill_at_work(file, name, chance, _seconds(run, name))
        finish(start("stage", name, file))
        if name != "report":
            assert parts(file, name) == parts(run, name), name
    first = parts(file, "report")
    _forget(file, "report")
    finish(start("stage", "report", file))
    assert parts(file, "report") == first


@pytest.mark.slow
def test_adapters_are_trained_by_the_same_stages(run: Path, small_world: Path, tmp_path: Path) -> None:
    file = write_run(tmp_path, small_world, lora={"rank": 4})
    assert finish(start("run", file)).count("done in") == len(NAMES) - 1
    assert parts(file, "reference") == parts(run, "reference")
    left = parts(file, "train")
    assert {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"} <= left.keys()
    assert b"LoRA of rank 4 and alpha 128, merged" in left["model/README.md"]
    assert {part for part in left if part.startswith("model/")} == {
        part for part in parts(run, "train") if part.startswith("model/")
    }


@pytest.mark.slow
def test_training_is_stopped_by_signals_and_goes_on_and_leaves_no_checkpoint(
    small_world: Path, tmp_path: Path
) -> None:
    """`dama stage` as a container's first process, `dama run` on a laptop, then to the end."""
    file = write_run(tmp_path, small_world, max_steps=24, save_every_steps=4)
    for name in NAMES[1 : NAMES.index("train")]:
        finish(start("stage", name, file))
    spec, whole = planned(file)
    checkpoints = Path(spec.storage.uri) / whole["train"].prefix / "checkpoints"

    def stop(command: tuple[object, ...], number: int, after: int) -> tuple[int, str, int]:
        process = start(*command)
        deadline = time.monotonic() + 120
        while (last := _last(checkpoints)) <= after:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        text, _ = process.communicate(timeout=120)
        assert _last(checkpoints) >= last
        return process.returncode, text, _last(checkpoints)

    code, text, step = stop(("stage", "train", file), signal.SIGTERM, 0)
    assert code == 75
    assert f"dama: asked to stop: saved at step {step} of 24; the same command goes on\n" in text
    code, text, further = stop(("run", file), signal.SIGINT, step)
    assert code == 130
    assert f"going on from the checkpoint of step {step} of 24" in text
    assert text.endswith(f"dama: asked to stop: saved at step {further} of 24; the same command goes on\n")
    text = finish(start("run", file))
    assert f"going on from the checkpoint of step {further} of 24" in text
    assert not checkpoints.exists(), "once the model is committed, its checkpoints are removed"


def _last(checkpoints: Path) -> int:
    """Return the step of the newest committed checkpoint, 0 when there is none."""
    commits = checkpoints.glob("step-*/commit.json")
    return max((int(path.parent.name.removeprefix("step-")) for path in commits), default=0)


def _kill_at_work(file: Path, stage: str, chance: random.Random, seconds: float) -> None:
    """Kill a stage at a random moment; where it was done by then, take its commits away and try earlier."""
    for _ in range(10):
        process = start("stage", stage, file)
        time.sleep(chance.uniform(0.3, 1.0) * seconds)
        at_work = process.poll() is None
        kill_all(process)
        if at_work:
            return
        _forget(file, stage)
        seconds *= 0.8  # the run that told them had a busier machine
    raise AssertionError(f"stage {stage} was never met at work")


def _seconds(run: Path, stage: str) -> float:
    """Return how long a stage's process took in the finished run, from its record."""
    record = run.parent / "store" / "runs" / "small" / "stages" / f"{stage}.json"
    return float(json.loads(record.read_text())["seconds"]) + 0.5


def _forget(file: Path, stage: str) -> None:
    spec, whole = planned(file)
    for commit in (Path(spec.storage.uri) / whole[stage].prefix).rglob("commit.json"):  # its shards' too
        commit.unlink()
