"""The command line: what it prints, where, and its exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import dama

import dama as package
from dama.spec.load import load
from dama.spec.schema import run_file_schema
from dama.storage.layout import run_prefix
from dama.storage.uri import open_store

RUNS = Path(__file__).parent.parent / "runs"
VERBS = ("demo", "run", "stage", "report", "score", "hardness", "validate", "schema")


def only_error(result: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Return the one line of an error; nothing else was printed to stderr."""
    assert result.returncode == code, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("dama: error: ")
    return lines[0]


def test_help_names_every_verb_in_one_line_each_and_gives_an_example() -> None:
    result = dama("--help")
    assert result.returncode == 0
    assert result.stderr == ""
    for verb in VERBS:
        (line,) = [line for line in result.stdout.splitlines() if line.startswith(f"│ {verb} ")]
        assert len(line.strip("│ ").split()) > 4
    assert "Example: dama validate run.yaml && dama run run.yaml" in result.stdout
    for panel in ("Start here", "Run file", "Options"):
        assert f"─ {panel} ─" in result.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    result = dama(verb, "--help")
    assert result.returncode == 0
    assert f"dama {verb}" in result.stdout
    assert "no_args" not in result.stdout


def test_no_arguments_show_the_help() -> None:
    result = dama()
    assert result.returncode == 2
    assert "Usage:" in result.stderr + result.stdout


def test_version() -> None:
    result = dama("--version")
    assert (result.returncode, result.stdout) == (0, f"dama {package.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("validat",), "see `dama --help`"),
        (("validate",), "see `dama validate --help`"),
        (("validate", "a.yaml", "--sett", "x"), "--sett"),
        (("demo", "--seed", "-1"), "--seed"),
        (("demo", "--facts", "guesses"), "--facts"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in only_error(dama(*arguments), 2)


@pytest.mark.parametrize("verb", ["run", "stage"])
def test_a_wrong_run_file_is_exit_code_2_and_leaves_nothing(tmp_path: Path, verb: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: tiny\nsurprise: 1\n")
    result = dama(verb, *(["data"] if verb == "stage" else []), file)
    assert "surprise: no such key" in only_error(result, 2)
    assert list(tmp_path.iterdir()) == [file]


def test_schema_prints_the_schema() -> None:
    result = dama("schema")
    assert result.returncode == 0
    assert json.loads(result.stdout) == run_file_schema()


def test_a_closed_pipe_is_no_error() -> None:
    shell = f"{sys.executable} -m dama schema | head -c 100 > /dev/null"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr == ""


def test_stage_names_the_stage_that_makes_its_input(tmp_path: Path) -> None:
    file = _jsonl_run(tmp_path)
    text = only_error(dama("stage", "facts", file, "--set", "train.seed=1"))
    assert "stage 'facts' reads what stage 'data' makes" in text
    assert f"run `dama stage data {file} --set train.seed=1` first" in text


def test_a_stage_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = only_error(dama("stage", "fact", _jsonl_run(tmp_path)), 2)
    assert "no stage is called 'fact'; wanted world, splitter, data, facts" in text
    assert text.endswith("; did you mean 'facts'?")
    assert "did you mean" not in only_error(dama("stage", "zzz", tmp_path / "none.yaml"), 2)


def _jsonl_run(folder: Path) -> Path:
    """Write a run file over one broken row and a folder that poses as a model."""
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "rows.jsonl").write_text(
        '{"image": "none.jpg", "prompt": "a", "chosen": "b", "rejected": "c"}\n'
    )
    file = folder / "run.yaml"
    file.write_text(
        "name: broken\n"
        "model: {kind: local, path: model}\n"
        "data: {kind: jsonl, uri: rows.jsonl, strict: true}\n"
        "train: {device: cpu, dtype: float32}\n"
    )
    return file


def test_a_steps_process_names_the_run_file_as_it_was_typed(tmp_path: Path) -> None:
    file = _jsonl_run(tmp_path)
    result = dama("step", "train", file, "--set", "method=dpo")
    first, second = (line for line in result.stderr.splitlines() if line.startswith("dama: error:"))
    assert (result.returncode, "stage 'reference' failed" in second) == (1, True)
    assert f"run `dama stage data {file} --set method=dpo` first" in first


def test_a_failed_stage_ends_the_run_with_its_line_and_how_to_repeat(tmp_path: Path) -> None:
    file = _jsonl_run(tmp_path)
    result = dama("run", file, "--set", "train.seed=1")
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("dama: error:")]
    assert len(lines) == 2
    assert "none.jpg" in lines[0]
    assert (
        f"stage 'data' failed with exit code 1; to mend: see its line above; `dama stage data {file}"
        in lines[1]
    )
    assert "--set train.seed=1" in lines[1]
    assert "Traceback" not in result.stderr
    store = open_store(load(file).storage)
    assert list(store.keys("artifacts/")) == []


def test_debug_shows_the_traceback_wherever_it_is_written(tmp_path: Path) -> None:
    file = _jsonl_run(tmp_path)
    for arguments in (("--debug", "stage", "facts", file), ("stage", "facts", file, "--debug")):
        result = dama(*arguments)
        assert result.returncode == 1
        assert result.stderr.startswith("Traceback (most recent call last)")
        assert result.stderr.splitlines()[-1].startswith("dama: error: stage 'facts' reads")


def test_an_unreachable_endpoint_is_one_clear_line(tmp_path: Path) -> None:
    text = only_error(
        dama(
            "stage",
            "facts",
            _jsonl_run(tmp_path),
            "--set",
            "storage={uri: s3://bucket, endpoint_url: 'http://127.0.0.1:9', attempts: 1}",
            "--set",
            "storage.keys={access_key: A, secret_key: B}",
            A="a",
            B="b",
        )
    )
    assert "http://127.0.0.1:9/ does not answer" in text
    assert "check storage.endpoint_url" in text


def test_missing_keys_are_one_clear_line(tmp_path: Path) -> None:
    keys = "storage={uri: s3://bucket, keys: {access_key: NO_SUCH_A, secret_key: NO_SUCH_B}}"
    text = only_error(dama("stage", "facts", _jsonl_run(tmp_path), "--set", keys))
    assert "not set in the environment: NO_SUCH_A, NO_SUCH_B" in text


def test_a_fault_of_ours_is_one_line_too(tmp_path: Path) -> None:
    code = (
        "import dama.cli.app as app\n"
        "@app.app.command()\n"
        "def crash() -> None: raise KeyError('some\\nthing')\n"
        "app.main(['crash'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "KeyError: 'some\\nthing'; run again with --debug" in only_error(result)


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        ("dama.errors.RestartMe('saved at step 7')", 75, "dama: saved at step 7\n"),
        ("KeyboardInterrupt()", 130, "dama: stopped; the same command goes on from here\n"),
        ("dama.errors.DataError('row 3', do='mend it')", 1, "dama: error: row 3; to mend: mend it\n"),
        ("SystemExit(143)", 143, ""),
    ],
)
def test_each_end_has_its_exit_code(raised: str, code: int, says: str) -> None:
    text = (
        "import dama.cli.app as app, dama.errors\n"
        "@app.app.command()\n"
        f"def end() -> None: raise {raised}\n"
        "app.main(['end'])"
    )
    result = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, says)


def test_of_several_ranks_the_first_to_fail_speaks(tmp_path: Path) -> None:
    file, failure = _jsonl_run(tmp_path), tmp_path / "failure"
    note = str(failure)
    first = dama("stage", "facts", file, LOCAL_RANK="0", RANK="0", DAMA_FAILURE_FILE=note)
    assert "stage 'facts' reads" in only_error(first)
    assert failure.read_text() == "1"
    later = dama("stage", "facts", file, LOCAL_RANK="1", RANK="1", DAMA_FAILURE_FILE=note)
    assert (later.returncode, later.stderr) == (1, "")


def test_sigterm_ends_a_stage_tidily(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from dama.stages.launch import live_as_child\n"
        "live_as_child()\n"
        "try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "finally: print('tidied')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (128 + signal.SIGTERM, "tidied\n")


def _finished(folder: Path, name: str) -> Path:
    """Write what a finished run leaves in its folder; the summary is one of another version."""
    file = folder / f"{name}.yaml"
    file.write_text(f"model: tiny\nname: {name}\n")
    spec = load(file)
    store = open_store(spec.storage)
    store.put_bytes(f"{run_prefix(name)}/run.yaml", file.read_bytes())
    store.put_bytes(f"{run_prefix(name)}/summary.json", b'{"schema_version": 99}')
    store.put_bytes(f"{run_prefix(name)}/report/report.html", b"<p>")
    return file


def test_report_says_where_it_is_from_the_run_file_or_its_folder(tmp_path: Path) -> None:
    file = _finished(tmp_path, "mine")
    folder = tmp_path / "store" / "runs" / "mine"
    (folder / "run.yaml").write_text(f"model: tiny\nname: mine\nstorage: {{uri: {tmp_path / 'store'}}}\n")
    for run in (file, folder):
        result = dama("report", run)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == f"report: {folder / 'report' / 'report.html'}\n"


def test_report_of_a_run_that_never_was_says_how_to_start_it(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: tiny\nname: never\n")
    assert f"holds no run 'never'; to mend: start it with `dama run {file}`" in only_error(
        dama("report", file)
    )


def test_report_of_a_run_that_did_not_finish_says_so(tmp_path: Path) -> None:
    file = _finished(tmp_path, "half")
    (tmp_path / "store" / "runs" / "half" / "summary.json").unlink()
    assert "report of run half" in only_error(dama("report", file))
