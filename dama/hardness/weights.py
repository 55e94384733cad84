"""Where CLIP's weights lie: a commit of a hub repository, or a local folder. Safetensors only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dama.errors import HardnessError

WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")


def from_hub(config: dict[str, Any], tag: str, revision: str | None) -> tuple[Path, dict[str, str]]:
    """Fetch a tag's weights from the hub, as safetensors; return the file and where it is from."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RevisionNotFoundError

    repository, _, file = str(config["hf_hub"]).rpartition("/")
    name = f"{Path(file).stem}.safetensors" if file else WEIGHTS[0]
    wanted = f"{repository}@{revision or 'main'}"
    try:
        found = Path(hf_hub_download(repository, name, revision=revision))
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):
            raise _unreachable(name, wanted, error) from error
        raise HardnessError(
            f"{wanted} holds no {name}",
            do="choose another tag: pickled weights can run code and are refused",
        ) from error
    except RevisionNotFoundError as error:
        raise HardnessError(f"there is no {wanted}", do="mend hardness.scorer.revision") from error
    except Exception as error:  # every HTTP library that the hub's client may use has its own tree
        raise _unreachable(name, wanted, error) from error
    # The cache's folder of a file is named by its commit, whatever branch was asked for.
    return found, {"weights": tag, "repository": repository, "revision": found.parent.name}


def checked_folder(folder: Path) -> dict[str, Any]:
    """Return the text part of a folder's config; HardnessError when it may not or cannot be loaded."""
    wanted = "open_clip_config.json, open_clip_model.safetensors and tokenizer files"
    config = folder / "open_clip_config.json"
    if not config.is_file():
        raise HardnessError(
            f"{folder} holds no open_clip_config.json", wanted=wanted, do="mend hardness.scorer"
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise HardnessError(
            f"{folder} holds no {' or '.join(WEIGHTS)}",
            wanted=wanted,
            do="convert the weights to safetensors; pickled weights can run code and are refused",
        )
    try:
        text = dict(json.loads(config.read_text(encoding="utf-8"))["model_cfg"]["text_cfg"])
        options = text.get("tokenizer_kwargs", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HardnessError(f"{config} is no open_clip config", wanted="model_cfg with text_cfg") from error
    if "trust_remote_code" in options:
        raise HardnessError(
            f"{config} asks to run code of the tokenizer's", do="remove trust_remote_code from it"
        )
    return text


def _unreachable(name: str, wanted: str, error: Exception) -> HardnessError:
    return HardnessError(
        f"{name} of {wanted} cannot be fetched ({type(error).__name__})",
        do="check the network, or fill the hub's cache where there is one: hf download "
        f"{wanted.replace('@', f' {name} --revision ')}",
    )
