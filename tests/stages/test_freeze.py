"""A frozen run file names exact bytes: hub revisions as commits, folders by digest."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dama.errors import DataError, HardnessError, ModelError, SpecError
from dama.spec.data import Jsonl
from dama.spec.hardness import OpenClipScorer
from dama.spec.load import dump, parse
from dama.spec.model import HubModel, LocalModel
from dama.spec.run import RunSpec
from dama.stages.freeze import folder_digest, freeze

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, a CLIP and preferences, a few bytes each."""
    for name, files in {"model": ("config.json", "sub/weights"), "clip": ("open_clip_config.json",)}.items():
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name}/{file}")
    (tmp_path / "rows.jsonl").write_text(
        '{"image": "a.jpg", "prompt": "p", "chosen": "c", "rejected": "r"}\n'
    )
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path


def local(folder: Path, *overrides: str) -> RunSpec:
    text = (
        "model: {kind: local, path: model}\n"
        "data: {kind: jsonl, uri: rows.jsonl}\n"
        "hardness: {scorer: {engine: open_clip, model: local, weights: ./clip}}\n"
    )
    return parse(text, overrides, folder=folder)


def digests(spec: RunSpec) -> dict[str, str | None]:
    assert isinstance(spec.model, LocalModel)
    assert isinstance(spec.data, Jsonl)
    assert spec.hardness is not None
    scorer = spec.hardness.scorer.model_dump()
    return {"model": spec.model.digest, "data": spec.data.digest, "clip": scorer["digest"]}


def test_folders_get_their_digests(folder: Path) -> None:
    found = digests(freeze(local(folder)))
    lines = [
        f"{name}\0{hashlib.sha256(f'model/{name}'.encode()).hexdigest()}\n"
        for name in ("config.json", "sub/weights")
    ]
    assert found["model"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert found["clip"] == folder_digest(folder / "clip")
    assert found["data"] is not None


def test_a_frozen_run_freezes_to_itself(folder: Path) -> None:
    frozen = freeze(local(folder))
    assert freeze(frozen) == frozen
    assert freeze(parse(dump(frozen), folder=Path("/elsewhere"))) == frozen
    tiny = parse("model: tiny", folder=folder)
    assert freeze(tiny) == tiny


def test_a_digest_names_bytes_not_places(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil

    other = tmp_path_factory.mktemp("other") / "deep"
    shutil.copytree(folder, other)
    assert digests(freeze(local(folder))) == digests(freeze(local(other)))


@pytest.mark.parametrize(
    ("file", "text", "moved"),
    [
        ("model/config.json", "changed", "model"),
        ("model/more", "", "model"),
        ("clip/open_clip_config.json", "changed", "clip"),
        ("rows.jsonl", '{"image": "a.jpg", "prompt": "q", "chosen": "c", "rejected": "r"}\n', "data"),
    ],
)
def test_a_change_moves_its_digest_only_and_is_told_once_frozen(
    folder: Path, file: str, text: str, moved: str
) -> None:
    frozen = freeze(local(folder))
    (folder / file).write_text(text)
    again = digests(freeze(local(folder)))
    assert {name for name, digest in digests(frozen).items() if again[name] != digest} == {moved}
    with pytest.raises(SpecError, match="changed since the run was frozen") as caught:
        freeze(frozen)
    paths = {"model": "model.digest", "clip": "hardness.scorer.digest", "data": "data.digest"}
    assert [problem.path for problem in caught.value.problems] == [paths[moved]]


def test_a_renamed_file_is_a_change_and_a_tools_notes_are_not(folder: Path) -> None:
    before = folder_digest(folder / "model")
    cache = folder / "model" / ".cache" / "notes"
    cache.parent.mkdir()
    cache.write_text("when it was downloaded")
    (folder / "model" / ".gitattributes").write_text("x")
    assert folder_digest(folder / "model") == before
    (folder / "model" / "config.json").rename(folder / "model" / "config2.json")
    assert folder_digest(folder / "model") != before


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.path: .*/nothing is no folder"):
        freeze(local(folder, "model.path=nothing"))
    with pytest.raises(ModelError, match=r"hardness\.scorer\.weights: .*/none is not there"):
        freeze(local(folder, "hardness.scorer.weights=./none"))
    with pytest.raises(DataError, match=r"none\.jsonl"):
        freeze(local(folder, "data.uri=none.jsonl"))


def test_weights_may_be_a_single_file(folder: Path) -> None:
    spec = freeze(local(folder, "hardness.scorer.weights=./clip/open_clip_config.json"))
    assert digests(spec)["clip"] == hashlib.sha256(b"clip/open_clip_config.json").hexdigest()


@dataclass
class Hub:
    """A hub on loopback that knows one model and one dataset, and notes what it is asked."""

    address: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    answers = {
        "/api/models/owner/name/revision/main": (200, {"id": "owner/name", "sha": COMMIT}),
        "/api/models/owner/name/revision/v9": (404, "RevisionNotFound"),
        "/api/models/owner/none/revision/main": (404, "RepoNotFound"),
        "/api/models/owner/closed/revision/main": (403, "GatedRepo"),
        "/api/models/owner/odd/revision/main": (200, {"id": "owner/odd", "sha": None}),
        "/api/models/timm/vit_base_patch32_clip_224.openai/revision/main": (200, {"id": "x", "sha": COMMIT}),
        "/api/datasets/owner/rows/revision/main": (200, {"id": "owner/rows", "sha": COMMIT}),
    }
    known = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            status, answer = answers.get(self.path.partition("?")[0], (500, "none"))
            body = json.dumps(answer if isinstance(answer, dict) else {"error": answer}).encode()
            self.send_response(status)
            if isinstance(answer, str):
                self.send_header("X-Error-Code", answer)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    import huggingface_hub.constants as constants
    import huggingface_hub.hf_api as api

    monkeypatch.setattr(constants, "ENDPOINT", known.address)
    monkeypatch.setattr(api.constants, "ENDPOINT", known.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def hub_spec(
    model: str = "owner/name", revision: str = "main", data: str = "hf://owner/rows@main"
) -> RunSpec:
    text = f"model: {{kind: hub, id: {model}, revision: {revision}}}\ndata: {{kind: rlaif-v, uri: '{data}'}}"
    return parse(text, folder=Path("/x"))


def test_hub_revisions_become_commits(hub: Hub) -> None:
    frozen = freeze(hub_spec())
    assert frozen.model == HubModel(id="owner/name", revision=COMMIT)
    assert frozen.data.model_dump()["uri"] == f"hf://owner/rows@{COMMIT}"
    hub.asked.clear()
    assert freeze(frozen) == frozen
    assert hub.asked == [], "a commit needs no network"


@pytest.mark.parametrize(
    ("model", "revision", "says"),
    [
        ("owner/name", "v9", "has no revision 'v9'"),
        ("owner/none", "main", "shows you no model owner/none"),
        ("owner/closed", "main", "is gated"),
        ("owner/odd", "main", "names no commit"),
    ],
)
def test_what_the_hub_does_not_have_is_told(hub: Hub, model: str, revision: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        freeze(hub_spec(model, revision))


def test_without_a_network_it_says_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"write the 40-digit commit as model\.revision"):
        freeze(hub_spec())


def scorer_of(spec: RunSpec) -> OpenClipScorer:
    assert spec.hardness is not None
    assert isinstance(spec.hardness.scorer, OpenClipScorer)
    return spec.hardness.scorer


def clip_spec(scorer: str) -> RunSpec:
    text = f"model: {{kind: hub, id: owner/name, revision: {COMMIT}}}\n"
    text += f"data: {{kind: rlaif-v, uri: 'hf://owner/rows@{COMMIT}'}}\nhardness: {{scorer: {scorer}}}"
    return parse(text, folder=Path("/x"))


def test_the_default_clip_is_pinned_without_a_network(hub: Hub) -> None:
    hub.asked.clear()
    frozen = freeze(clip_spec("{engine: open_clip}"))
    assert (scorer_of(frozen).model, scorer_of(frozen).weights) == ("ViT-L-14-336", "openai")
    assert re.fullmatch("[0-9a-f]{40}", scorer_of(frozen).revision or "")
    assert freeze(frozen) == frozen
    assert not [path for path in hub.asked if "clip" in path]


def test_the_weights_of_another_tag_become_a_commit(hub: Hub) -> None:
    frozen = freeze(clip_spec("{engine: open_clip, model: ViT-B-32}"))
    assert scorer_of(frozen).revision == COMMIT
    hub.asked.clear()
    assert freeze(frozen) == frozen
    assert not [path for path in hub.asked if "clip" in path]


def test_clip_weights_that_the_hub_does_not_have_are_told(hub: Hub) -> None:
    with pytest.raises(ModelError, match=r"write the 40-digit commit as hardness\.scorer\.revision"):
        freeze(clip_spec("{engine: open_clip, revision: v9}"))
    with pytest.raises(HardnessError, match="open_clip has no weights 'nope' for model 'ViT-B-32'"):
        freeze(clip_spec("{engine: open_clip, model: ViT-B-32, weights: nope}"))
