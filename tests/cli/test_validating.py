"""`dama validate`: what a run file comes to, or everything that is wrong with it and what is not there."""

from __future__ import annotations

from pathlib import Path

from commands import dama

RUNS = Path(__file__).parent.parent / "runs"


def test_validate_prints_what_a_run_file_comes_to() -> None:
    result = dama("validate", RUNS / "llava-7b.yaml", "--set", "train.seed=1")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"OK {RUNS / 'llava-7b.yaml'}\n")
    for text in (
        "llava-hf/llava-1.5-7b-hf",
        "limit 22000",
        "dama (beta 0.1, keep 12",
        "4 epochs, batch 4 ranks × 4 × accumulation 1 = 16",
        "s3://alignment/dama",
    ):
        assert text in result.stdout


def test_validate_prints_every_problem_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: llava-7b\ntrain: {batch: 15, sed: 1}\nmethod: {keep: 99}\n")
    result = dama("validate", file)
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    for line, path in zip(lines, ("train.sed", "train.batch", "method.keep"), strict=True):
        assert line.startswith(f"dama: error: {file}: {path}: ")


def test_validate_tells_what_is_not_there_and_only_warns_of_what_lies_in_pods(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: {kind: local, path: llava}\ndata: {kind: jsonl, uri: rows.jsonl}\n")
    result = dama("validate", file)
    assert (result.returncode, result.stdout) == (2, "")
    assert [line.split(" is not there")[0] for line in result.stderr.splitlines()] == [
        f"dama: error: {file}: model.path: {tmp_path / 'llava'}",
        f"dama: error: {file}: data.uri: {tmp_path / 'rows.jsonl'}",
    ]
    volume = "cluster.volumes=[{claim: models, path: /nowhere}]"
    pods = ("--set", volume, "--set", "model.path=/nowhere/llava", "--set", "data.uri=s3://abc/rows.jsonl")
    result = dama("validate", file, *pods)
    assert (result.returncode, result.stdout[:3]) == (0, "OK ")
    assert result.stderr.startswith(f"dama: warning: {file}: model.path: /nowhere/llava is not there")
    assert result.stderr.count("\n") == 1
