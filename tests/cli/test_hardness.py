"""`dama hardness show`: what a person sees, what a script gets, which picture is left."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from alpha_artifacts import PREFIX, summary, write_alpha_artifact, write_records
from commands import dama
from PIL import Image
from test_commands import only_error

from dama.storage.local import LocalStore


@pytest.fixture
def runfile(tmp_path: Path) -> Path:
    store = LocalStore(tmp_path / "store")
    write_alpha_artifact(store)
    write_records(store, "test")
    file = tmp_path / "run.yaml"
    file.write_text("model: tiny\nname: test\nstorage: {uri: store}\n")
    return file


def test_numbers_preferences_and_picture(runfile: Path) -> None:
    result = dama("hardness", "show", runfile, cwd=runfile.parent)
    assert (result.returncode, result.stderr) == (0, "")
    text, lines = result.stdout, result.stdout.splitlines()
    assert lines[0] == f"hardness of run test: {runfile.parent}/store/{PREFIX}"
    assert "12 preferences, 36 facts (12 of chosen answers, 24 of rejected)" in text
    assert "open_clip · model ViT-B-32 · revision abababab" in text
    assert "facts 1 min 01 s, alpha 1.2 s" in text
    shown = [line.split()[4] for line in lines if line.startswith("δ ") and "α_D" in line]
    assert shown == ["p00", "p01", "p02", "p03", "p04", "p11", "p10", "p09", "p08", "p07"]
    assert text.index("Hardest (smallest δ") < text.index("p00") < text.index("Easiest (largest δ")
    assert "  chosen     20.0 <script>alert(1)</script> [2J[red]gone[/]" in [line.rstrip() for line in lines]
    assert "\x1b" not in text
    assert "chosen:fallback 1: the language model gave no usable list" in text
    assert lines[-1] == "picture: hardness.png"
    with Image.open(runfile.parent / "hardness.png") as picture:
        assert picture.format == "PNG"


def test_json_is_the_summary_and_the_ends_and_draws_only_when_asked(runfile: Path) -> None:
    folder = runfile.parent / "store" / PREFIX
    result = dama("hardness", "show", folder, "--json", cwd=runfile.parent)
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["summary"] == summary()
    assert [one["id"] for one in found["hardest"]] == [f"p{n:02d}" for n in range(5)]
    assert found["split_by_fallback"] == ["p03"]
    assert not list(runfile.parent.glob("*.png"))
    out = runfile.parent / "new" / "fig7.png"
    drawn = dama("hardness", "show", folder, "--json", "--out", out, cwd=runfile.parent)
    assert json.loads(drawn.stdout) == found
    assert out.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_shown_is_one_line(runfile: Path) -> None:
    store = runfile.parent / "store"
    assert "neither a file nor a folder" in only_error(dama("hardness", "show", "gone"))
    assert "holds no commit.json" in only_error(dama("hardness", "show", store))
    assert "ARTIFACT" in only_error(dama("hardness", "show"), 2)


def without(package: str, folder: Path) -> str:
    """Return a folder for PYTHONPATH where `package` is as if it were not installed."""
    stand_in = folder / "absent" / package
    stand_in.mkdir(parents=True)
    error = f"ModuleNotFoundError(\"No module named '{package}'\", name='{package}')"
    (stand_in / "__init__.py").write_text(f"raise {error}\n")
    return str(stand_in.parent)


def first_on_path(folder: str) -> str:
    return os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])


def test_without_a_drawing_library_the_numbers_are_still_told(runfile: Path, tmp_path: Path) -> None:
    path = first_on_path(without("matplotlib", tmp_path))
    result = dama("hardness", "show", runfile, cwd=tmp_path, PYTHONPATH=path)
    line = only_error(result)
    assert "the picture needs the package matplotlib" in line
    assert "pip install 'dama[report]', or --no-picture" in line
    assert "Easiest (largest δ" in result.stdout
    assert dama("hardness", "show", runfile, "--no-picture", cwd=tmp_path, PYTHONPATH=path).returncode == 0
    assert not list(tmp_path.glob("*.png"))


def test_the_light_install_is_told_what_to_add(runfile: Path, tmp_path: Path) -> None:
    for package in ("pyarrow", "numpy"):
        path = first_on_path(without(package, tmp_path))
        line = only_error(dama("hardness", "show", runfile, cwd=tmp_path, PYTHONPATH=path))
        assert f"hardness needs the package {package}" in line
        assert "pip install 'dama[data,report]'" in line
