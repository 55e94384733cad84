"""CLIP models are loaded from folders and from the hub, pinned, and nothing that could run code is."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from dama.errors import HardnessError
from dama.hardness.clip import hub_repository, load_clip

COMMIT = "c0" * 20


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip, tmp_path / "copy"))


def test_it_says_which_weights_it_loaded(folder: Path) -> None:
    file = folder / "open_clip_model.safetensors"
    loaded = load_clip("local", f"file://{folder}", device="cpu")
    assert loaded.weights == {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert (loaded.device, loaded.precision, loaded.dtype) == ("cpu", "float32", torch.float32)


def test_cuda_is_refused_where_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(HardnessError, match="device is cuda, and this machine shows torch no CUDA device"):
        load_clip("local", str(folder), device="cuda")
    assert load_clip("local", str(folder)).device == "cpu"


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").rename(folder / "model.safetensors")
    torch.save({}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(HardnessError, match="pickled weights can run code and are refused"):
        load_clip("local", str(folder), device="cpu")


def test_a_pickle_beside_safetensors_is_never_opened(folder: Path) -> None:
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"not even a pickle")
    assert load_clip("local", str(folder), device="cpu").model is not None


def test_code_of_a_tokenizer_is_refused(folder: Path) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    path.write_text(json.dumps(config))
    with pytest.raises(HardnessError, match="run code"):
        load_clip("local", str(folder), device="cpu")


@pytest.mark.parametrize("text", ["{", "[]", '{"model_cfg": 3}', '{"model_cfg": {}}'])
def test_a_broken_config_is_told(folder: Path, text: str) -> None:
    (folder / "open_clip_config.json").write_text(text)
    with pytest.raises(HardnessError, match="is no open_clip config"):
        load_clip("local", str(folder), device="cpu")


def test_an_incomplete_folder_is_told(folder: Path) -> None:
    data = (folder / "open_clip_model.safetensors").read_bytes()
    (folder / "open_clip_model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(HardnessError, match="does not load"):
        load_clip("local", str(folder), device="cpu")
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(HardnessError, match=r"no open_clip_config\.json"):
        load_clip("local", str(folder), device="cpu")


def test_a_text_tower_of_transformers_is_halved_as_a_whole(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from transformers import BertConfig

    BertConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    ).save_pretrained(tmp_path / "bert")
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"] = {
        "hf_model_name": str(tmp_path / "bert"),
        "hf_tokenizer_name": "tiny",
        "hf_proj_type": "linear",
        "hf_pooler_type": "mean_pooler",
        "context_length": 10,
    }
    path.write_text(json.dumps(config))
    import open_clip

    model_config = json.loads(json.dumps(config["model_cfg"]))
    model_config["text_cfg"]["hf_model_pretrained"] = False
    model = open_clip.CustomTextCLIP(**model_config)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    loaded = load_clip("local", str(folder), device="cpu", precision="bfloat16")
    assert {value.dtype for value in loaded.model.text.parameters()} == {torch.bfloat16}
    with torch.inference_mode():
        assert loaded.model.encode_text(loaded.tokenizer(["a red star"])).isfinite().all()


class Hub:
    """A hub on loopback: files by path below /owner/clip/resolve/REVISION/."""

    def __init__(self, address: str) -> None:
        self.address, self.files, self.asked = address, dict[str, bytes](), list[str]()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    known = Hub("")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            _, _, file = self.path.partition("/resolve/")
            if file:  # what else the client asks of a hub is its own affair
                known.asked.append(f"{self.command} {self.path}")
            body = known.files.get(file.partition("/")[2])
            self.send_response(404 if body is None else 200)
            if body is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body or b"").hexdigest()}"')
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if with_body:
                self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    import huggingface_hub.constants as constants

    template = f"{known.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", known.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tag(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A tiny model with open_clip's own tokenizer that open_clip knows by name, its weights on the hub."""
    import open_clip
    from open_clip import factory, pretrained
    from safetensors.torch import save

    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
    }
    entry = {
        "hf_hub": "owner/clip/",
        "mean": (0.1, 0.2, 0.3),
        "std": (0.5, 0.5, 0.5),
        "interpolation": "bilinear",
        "resize_mode": "squash",
        "quick_gelu": True,
    }
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-tagged", config)
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny-tagged", {"trained": entry})
    weights = {name: value.contiguous() for name, value in open_clip.CLIP(**config).state_dict().items()}
    hub.files["open_clip_model.safetensors"] = save(weights)
    return entry


def test_a_tag_is_read_at_its_commit_and_as_it_was_trained(hub: Hub, tag: dict[str, Any]) -> None:
    from open_clip.transformer import QuickGELU

    loaded = load_clip("tiny-tagged", "trained", revision=COMMIT, device="cpu")
    sha256 = hashlib.sha256(hub.files["open_clip_model.safetensors"]).hexdigest()
    assert loaded.weights == {
        "weights": "trained",
        "repository": "owner/clip",
        "revision": COMMIT,
        "sha256": sha256,
    }
    assert hub.asked[0] == f"HEAD /owner/clip/resolve/{COMMIT}/open_clip_model.safetensors"
    assert loaded.model.visual.preprocess_cfg["mean"] == tag["mean"]
    assert loaded.model.visual.preprocess_cfg["interpolation"] == "bilinear"
    assert loaded.model.visual.preprocess_cfg["resize_mode"] == "squash"
    assert isinstance(loaded.model.visual.transformer.resblocks[0].mlp.gelu, QuickGELU)
    hub.asked.clear()
    load_clip("tiny-tagged", "trained", revision=COMMIT, device="cpu")
    assert hub.asked == [], "a commit that is in the cache needs no network"


def test_without_a_revision_the_commit_is_said_all_the_same(hub: Hub, tag: dict[str, Any]) -> None:
    assert load_clip("tiny-tagged", "trained", device="cpu").weights["revision"] == COMMIT
    assert hub.asked[0].startswith("HEAD /owner/clip/resolve/main/")


def test_a_tag_with_pickled_weights_only_is_refused(hub: Hub, tag: dict[str, Any]) -> None:
    hub.files = {"open_clip_pytorch_model.bin": b"a pickle"}
    with pytest.raises(HardnessError, match=r"owner/clip@main holds no open_clip_model\.safetensors"):
        load_clip("tiny-tagged", "trained", device="cpu")
    tag["hf_hub"] = "owner/clip/weights.bin"
    with pytest.raises(HardnessError, match=r"owner/clip@main holds no weights\.safetensors"):
        load_clip("tiny-tagged", "trained", device="cpu")
    assert not any(".bin" in line for line in hub.asked)


def test_a_tag_without_a_network_is_told(
    hub: Hub, tag: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        HardnessError, match=r"open_clip_model\.safetensors of owner/clip@main cannot be fetch"
    ):
        load_clip("tiny-tagged", "trained", device="cpu")


def test_unknown_models_and_tags_are_told_with_the_known_ones() -> None:
    with pytest.raises(
        HardnessError, match=r"no weights 'nope' for model 'ViT-L-14-336'; wanted one of: openai"
    ):
        load_clip("ViT-L-14-336", "nope", device="cpu")
    with pytest.raises(HardnessError, match="no model of that name"):
        hub_repository("ViT-Nope", "openai")


def test_the_default_weights_lie_in_a_repository_of_the_hub() -> None:
    assert hub_repository("ViT-L-14-336", "openai") == "timm/vit_large_patch14_clip_336.openai"


def test_every_tag_of_open_clip_has_a_repository_to_be_pinned_in() -> None:
    import open_clip

    assert all(hub_repository(model, tag).count("/") == 1 for model, tag in open_clip.list_pretrained())
