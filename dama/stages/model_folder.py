"""The model a run starts from, as a local folder, wherever it lives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dama.errors import ModelError
from dama.spec.model import HubModel, LocalModel
from dama.spec.run import RunSpec
from dama.stages.base import StageContext


def model_key(spec: RunSpec) -> Any:  # noqa: ANN401 - JSON
    """Return what identifies the weights: hub id and commit, or a folder's digest, or the world's name."""
    model = spec.model
    if isinstance(model, LocalModel):
        return {"digest": model.digest}
    return model.model_dump(mode="json")


def model_folder(context: StageContext) -> Path:
    """Return a folder in Hugging Face layout with the starting model's weights and processor."""
    model = context.spec.model
    if isinstance(model, HubModel):
        return hub_folder(model, "model")
    if isinstance(model, LocalModel):
        return local_folder(model, "model")
    return context.inputs["world"] / "llava"


def local_folder(model: LocalModel, key: str) -> Path:
    """Return the folder that the run file's part `key` names; ModelError when it holds no model."""
    folder = Path(model.path.removeprefix("file://"))
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds no config.json",
            wanted="a folder in Hugging Face layout",
            do=f"mend {key}.path",
        )
    return folder


def checked_folder(model: LocalModel, key: str) -> Path:
    """Return the same folder; ModelError when its bytes are not those that the run was frozen with."""
    from dama.stages.freeze import folder_digest

    folder = local_folder(model, key)
    found = folder_digest(folder)
    if model.digest is not None and found != model.digest:
        raise ModelError(
            f"{key}: the model in {folder} changed since the run was frozen (sha256 {found[:12]}…)",
            wanted=f"{model.digest[:12]}…",
            do="restore it, or start a new run with what is there now",
        )
    return folder


def hub_folder(model: HubModel, key: str) -> Path:
    """Return a hub model's files, downloaded where they are not yet; ModelError when they cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                model.id,
                revision=model.revision,
                allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{model.id}@{model.revision} cannot be read from the hub: {type(error).__name__}",
            do=f"check the id, the revision and the network, or give a local folder as {key}.path",
        ) from error
