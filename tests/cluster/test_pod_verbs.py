"""The verbs that pods run: the release Job's, and the steps'."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiServer
from person import Person
from run_specs import given_images

from dama.cli.arguments import all_stages
from dama.cluster.kinds import path_of
from dama.manifests.placed import placed
from dama.manifests.render import render
from dama.spec.load import load, parse
from dama.stages.base import plan
from dama.stages.pin import pinned
from dama.stages.pipeline import leading_to
from dama.storage.commit import Commit, write_commit
from dama.storage.uri import open_store

DONE = {"conditions": [{"type": "Complete", "status": "True"}]}


@pytest.fixture
def person(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
    someone = Person(server, tmp_path)
    someone.write({"model": "tiny", "storage": {"uri": str(tmp_path / "store")}})
    return someone


def steps(person: Person, **status: Any) -> list[str]:
    """Put the run's three steps into the cluster; return the arguments that name them."""
    for kind, name in (("Job", "preprocess"), ("PyTorchJob", "train"), ("Job", "evaluate")):
        one = {"kind": kind, "spec": {}, "status": status.get(name, DONE)}
        person.server.put(path_of(kind, "aligning", name), one)
    return [word for name in ("preprocess", "train", "evaluate") for word in (f"--{name}", name)]


def commit_all(person: Person, without: str = "") -> None:
    """Commit, empty, what preprocessing makes."""
    spec = load(person.file)
    store = open_store(spec.storage)
    whole = plan(pinned(spec, store), all_stages())
    for name, planned in leading_to(whole["alpha"], whole).items():
        if name != without:
            write_commit(store, planned.prefix, Commit({}, {}))


def test_release_ends_well_with_the_run(person: Person) -> None:
    commit_all(person)
    said = person.dama("release", person.file, *steps(person))
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[-1] == "the run has ended well"


@pytest.mark.parametrize(("without", "lacking"), [("alpha", "alpha"), ("scores", "scores"), ("data", "data")])
def test_release_fails_where_a_commit_is_lacking(person: Person, without: str, lacking: str) -> None:
    commit_all(person, without)
    said = person.dama("release", person.file, *steps(person))
    assert said.returncode == 1
    assert f"no commit of {lacking}" in said.stderr


def test_release_fails_where_nobody_froze_the_run_file(person: Person) -> None:
    said = person.dama("release", person.file, *steps(person))
    assert said.returncode == 1
    assert "no commit of the frozen run file" in said.stderr


def test_the_own_stores_keys_are_made_before_anything_needs_them(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dama.cli.release import _bring_keys
    from dama.cluster.client import Cluster

    for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(name, "old")
    spec = placed(parse("{name: mine, model: tiny}", folder=None), given_images)
    _bring_keys(spec, Cluster.reached())
    made = person.server.find("secrets/mine-store")["stringData"]
    assert {name: os.environ[name] for name in made} == made
    assert "old" not in made.values()
    _bring_keys(load(person.file), Cluster.reached())  # a run with a store of its own choice makes none
    assert len([path for path in person.server.objects if "secrets" in path]) == 1


def test_doctor_inside_writes_and_reads_the_bucket(person: Person) -> None:
    said = person.dama("doctor", person.file, "--inside")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "is written and read" in said.stdout
    assert not list((person.folder / "store").rglob("doctor/*"))
    (person.folder / "store").rename(person.folder / "moved")
    (person.folder / "store").write_text("a file where the folder was")
    said = person.dama("doctor", person.file, "--inside")
    assert said.returncode == 1
    assert "wrong" in said.stdout


def test_a_step_whose_input_is_missing_names_the_stage_that_makes_it(
    person: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    person.write(
        {
            "model": "tiny",
            "storage": {"uri": str(person.folder / "store")},
            "train": {"ranks": 1, "per_device_batch": 16},
        }
    )
    said = person.dama("step", "train", person.file, "--pin")
    assert said.returncode == 1
    assert "stage 'reference' failed" in said.stderr
    assert "stage 'reference' reads what stage 'world' makes" in capfd.readouterr().err


def test_render_writes_a_file_an_object(person: Person) -> None:
    person.write({})
    folder = person.folder / "out"
    said = person.dama("render", person.file, "--out", str(folder))
    assert said.returncode == 0, said.stderr
    spec = placed(load(person.file, here=False))
    files = sorted(folder.iterdir())
    assert [yaml.safe_load(file.read_text()) for file in files] == render(spec)
    assert files[0].name == "00-run-serviceaccount.yaml"
    person.dama("render", person.file, "--out", str(folder), "--format", "json")
    assert json.loads((folder / "00-run-serviceaccount.json").read_text()) == render(spec)[0]
