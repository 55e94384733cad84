"""What is in helm/ and k8s/ follows from the code as it is now."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import yaml
from run_specs import IMAGES

from dama.manifests.chart import values_schema
from dama.manifests.shipped import RUNS, main, shipped_files

ROOT = Path(__file__).parent.parent.parent


def test_generated_files_are_not_stale() -> None:
    files = shipped_files()
    stale = [name for name, text in files.items() if (ROOT / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `make manifests`"
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "k8s").rglob("*.yaml")}
    assert there == {name for name in files if name.startswith("k8s/")}


def test_writing_them_again_changes_nothing_and_removes_what_is_old(tmp_path: Path) -> None:
    old = tmp_path / "k8s" / "99-old.yaml"
    old.parent.mkdir()
    old.write_text("old")
    assert main([str(tmp_path)]) == 0
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert old not in written
    assert main([str(tmp_path)]) == 0
    assert written == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_one_run_lies_directly_in_k8s_and_every_other_in_a_folder_of_its_own() -> None:
    files = [name for name in shipped_files() if name.startswith("k8s/") and name.count("/") == 1]
    kinds = [yaml.safe_load((ROOT / name).read_text())["kind"] for name in sorted(files)]
    assert kinds[0] == "Namespace"
    assert kinds.count("PyTorchJob") == 1
    every = sorted(shipped_files())
    for folder in filter(None, RUNS):
        listed = yaml.safe_load((ROOT / "k8s" / folder / "kustomization.yaml").read_text())["resources"]
        assert [f"k8s/{folder}/{name}" for name in listed] == [
            name
            for name in every
            if name.startswith(f"k8s/{folder}/") and not name.endswith("kustomization.yaml")
        ]


def test_the_values_schema_is_a_schema_strict_about_keys_and_digests() -> None:
    schema = values_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid({"model": "llava-13b", "images": IMAGES, "global": {}})
    assert check.is_valid({"model": "tiny", "method": {"beta": "0.2"}, "train": {"learning_rate": "5e-7"}})
    assert not check.is_valid({"model": "llava-70b"})
    assert not check.is_valid({"model": "tiny", "method": {"beta": "high"}})
    assert not check.is_valid({"model": "tiny", "nmae": "x"})
    assert not check.is_valid({"model": "tiny", "name": "x" * 41})
    tag = {"train": "registry.example.org/dama/train:1"}
    assert not check.is_valid({"model": "tiny", "images": tag})
    assert check.is_valid({"model": "tiny", "images": {**tag, "allow_mutable_tags": True}})


def test_values_yaml_names_every_key_of_a_run_file() -> None:
    from dama.spec.run import RunSpec

    text = (ROOT / "helm" / "values.yaml").read_text()
    for key in RunSpec.model_fields:
        assert f"\n# {key}:" in text or f"\n{key}:" in text
    assert yaml.safe_load(text) == {"model": "llava-7b"}
