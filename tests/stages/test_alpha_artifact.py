"""An artifact of stage alpha is found by run file, folder or address; what is none is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from alpha_artifacts import PREFIX, summary, write_alpha_artifact, write_records
from s3_servers import ACCESS, BUCKET, KEYS, SECRET, Server, boto, moto

from dama.errors import CorruptArtifact, DamaError, HardnessError, SpecError
from dama.stages.alpha_artifact import open_alpha
from dama.storage.commit import sha256_of
from dama.storage.local import LocalStore


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A store with the artifact and the records of run `test`."""
    store = LocalStore(tmp_path / "store")
    write_alpha_artifact(store)
    write_records(store, "test")
    return store


@pytest.fixture
def runfile(tmp_path: Path, store: LocalStore) -> Path:
    file = tmp_path / "my run.yaml"
    file.write_text("model: tiny\nname: test\nstorage: {uri: store}\n")
    return file


def refused(asked: object, scratch: Path, kind: type[DamaError] = HardnessError) -> str:
    with pytest.raises(kind) as caught:
        open_alpha(str(asked), scratch)
    return str(caught.value)


def test_a_run_file_stands_for_what_its_run_recorded(
    runfile: Path, store: LocalStore, tmp_path: Path
) -> None:
    found = open_alpha(str(runfile), tmp_path / "scratch")
    assert (found.place, found.run) == (f"{store.uri}/{PREFIX}", "test")
    assert found.summary == summary()
    assert found.seconds == {"facts": 61.0, "alpha": 1.25}
    assert (found.folder / "hardness.parquet").is_file()


def test_so_does_the_runs_folder(runfile: Path, store: LocalStore, tmp_path: Path) -> None:
    (store.root / "runs/test/run.yaml").write_text(runfile.read_text().replace("store}", f"{store.root}}}"))
    assert open_alpha(str(store.root / "runs/test"), tmp_path / "scratch").run == "test"


@pytest.mark.parametrize("ending", ["", "/", "/hardness.parquet", "/commit.json", "/summary.json"])
@pytest.mark.parametrize("beginning", ["", "file://"])
def test_an_artifact_is_found_by_its_place(
    store: LocalStore, tmp_path: Path, beginning: str, ending: str
) -> None:
    found = open_alpha(f"{beginning}{store.root}/{PREFIX}{ending}", tmp_path / "scratch")
    assert (found.run, found.summary["preferences"], found.seconds) == ("", 12, {"alpha": 1.25})


def test_the_current_folder_can_be_the_artifact(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(store.root / PREFIX)
    for asked in (".", "hardness.parquet"):
        assert open_alpha(asked, tmp_path / "scratch").place == f"{store.root}/{PREFIX}"


def test_a_note_that_cannot_be_read_is_no_part_of_it(store: LocalStore, tmp_path: Path) -> None:
    store.put_bytes(f"{PREFIX}/made.json", b'{"stage": "alpha", "seconds": "long"}')
    assert open_alpha(str(store.root / PREFIX), tmp_path).seconds == {}


def test_what_is_not_committed_is_refused(store: LocalStore, tmp_path: Path) -> None:
    store.delete(f"{PREFIX}/commit.json")
    message = refused(store.root / PREFIX, tmp_path)
    assert "holds no commit.json; wanted an artifact of stage alpha" in message
    assert "to mend: run stage alpha to its end" in message


def test_another_stages_artifact_is_refused(store: LocalStore, tmp_path: Path) -> None:
    store.put_bytes(
        "other/commit.json", b'{"parts": {"scores.parquet": {"sha256": "", "size": 1}}, "meta": {}}'
    )
    assert "holds scores.parquet; wanted an artifact of stage alpha" in refused(
        store.root / "other", tmp_path
    )
    store.put_bytes("other/commit.json", b'{"parts": {}, "meta": {}}')
    assert "holds nothing" in refused(store.root / "other", tmp_path)


def test_a_place_where_nothing_is_is_refused(tmp_path: Path) -> None:
    assert "neither a file nor a folder" in refused(tmp_path / "gone", tmp_path)


@pytest.mark.parametrize(
    "address", ["hf://owner/name", "https://x.org/a", "s3://bucket", "s3://B_/x", "s3://b/../x"]
)
def test_an_address_that_names_no_artifact_is_refused(address: str, tmp_path: Path) -> None:
    assert refused(address, tmp_path).startswith(f"{address} is no place of an artifact")


def test_changed_bytes_are_refused(store: LocalStore, tmp_path: Path) -> None:
    file = store.root / PREFIX / "hardness.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert "sha256 differs" in refused(store.root / PREFIX, tmp_path, CorruptArtifact)


@pytest.mark.parametrize("text", ["[]", "{", '{"form": "scores"}'])
def test_a_summary_that_says_too_little_is_refused(store: LocalStore, tmp_path: Path, text: str) -> None:
    folder = store.root / PREFIX
    commit = json.loads((folder / "commit.json").read_text())
    (folder / "summary.json").write_text(text)
    commit["parts"]["summary.json"] = {"sha256": sha256_of(folder / "summary.json"), "size": len(text)}
    (folder / "commit.json").write_text(json.dumps(commit))
    assert "is no summary" in refused(folder, tmp_path, CorruptArtifact)


def test_a_run_without_hardness_is_told_so(runfile: Path, tmp_path: Path) -> None:
    runfile.write_text(runfile.read_text() + "method: dpo\nhardness: null\n")
    assert "run 'test' has no hardness" in refused(runfile, tmp_path)


def test_a_run_that_did_not_get_so_far_is_told_what_to_run(
    runfile: Path, store: LocalStore, tmp_path: Path
) -> None:
    store.delete("runs/test/stages/alpha.json")
    message = refused(runfile, tmp_path)
    assert f"has computed no hardness in {store.uri}" in message
    assert f"run `dama preprocess '{runfile}'`" in message  # its name holds a space


def test_an_artifact_made_otherwise_than_the_run_file_says_is_not_shown(
    runfile: Path, tmp_path: Path
) -> None:
    with pytest.raises(HardnessError, match=r"made with hardness.aggregate=sum, and .* says mean"):
        open_alpha(str(runfile), tmp_path, overrides=["hardness.aggregate=mean"])


@pytest.mark.parametrize("record", [b"{", b"{}", b"[]", b'{"artifact": "../../etc"}'])
def test_a_record_that_is_none_is_refused(
    runfile: Path, store: LocalStore, tmp_path: Path, record: bytes
) -> None:
    store.put_bytes("runs/test/stages/alpha.json", record)
    assert "is no record of a stage" in refused(runfile, tmp_path, CorruptArtifact)


def test_a_wrong_run_file_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("modell: tiny\n")
    assert "modell" in refused(file, tmp_path, SpecError)


def test_an_address_in_s3_takes_the_run_files_endpoint_and_keys(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, moto() as address:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv(KEYS["access_key"], ACCESS)
        patch.setenv(KEYS["secret_key"], SECRET)
        boto(address).create_bucket(Bucket=BUCKET)
        server = Server("moto", address)
        store = server.store("deep/store")
        write_alpha_artifact(store)
        write_records(store, "test")
        file = tmp_path / "run.yaml"
        part = json.dumps(server.spec("deep/store").model_dump(mode="json"))
        file.write_text(f"model: tiny\nname: test\nstorage: {part}\n")
        for number, asked in enumerate(
            (f"{store.uri}/{PREFIX}", f"{store.uri}/{PREFIX}/commit.json", str(file))
        ):
            scratch = tmp_path / f"scratch-{number}"
            found = open_alpha(asked, scratch, storage=file)
            assert found.place == f"{store.uri}/{PREFIX}"
            assert (found.folder / "hardness.parquet").is_file()
            assert scratch in found.folder.parents
            assert found.seconds["alpha"] == 1.25
