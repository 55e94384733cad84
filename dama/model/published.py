"""Names of weights as the published LLaVA-1.5 checkpoints have them.

transformers renames weights when it loads them, and undoes that when it saves only for what it renamed; a
model that was never published is saved under names that only transformers itself understands. Engines like
vLLM read the published ones, so these are what is exported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

_FAMILIES = ("llava", "vipllava")
_RENAMED = (
    (r"^lm_head\.", "language_model.lm_head."),
    (r"^model\.language_model\.", "language_model.model."),
    (r"^model\.vision_tower\.(?!vision_model\.)", "vision_tower.vision_model."),
    (r"^model\.", ""),
)


def published(config: Any, weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:  # noqa: ANN401 - transformers
    """Return `weights` (names as the module has them) under their published names.

    None for a family or vision tower that this does not know.
    """
    if config.model_type not in _FAMILIES or config.vision_config.model_type != "clip_vision_model":
        return None
    return {_published(name): tensor for name, tensor in weights.items()}


def _published(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name, count = re.subn(pattern, replacement, name)
        if count:
            break
    return name
