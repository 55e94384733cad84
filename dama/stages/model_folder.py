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
        return _from_hub(model)
    if isinstance(model, LocalModel):
        folder = Path(model.path.removeprefix("file://"))
        if not (folder / "config.json").is_file():
            raise ModelError(
                f"{folder} holds no config.json",
                wanted="a folder in Hugging Face layout",
                do="mend model.path",
            )
        return folder
    return context.inputs["world"] / "llava"


def _from_hub(model: HubModel) -> Path:
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
            do="check the id, the revision and the network, or give a local folder as model.path",
        ) from error
