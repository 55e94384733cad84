"""torchvision beside a CPU build of torch.

The registry's torchvision wheel is built against CUDA torch; beside the CPU build its compiled half does not load,
and `import torchvision` fails on the schemas of two operators that nothing here calls. Declaring the schemas first
lets the import pass; transforms are plain torch and work. Nothing is done where the operators exist.
"""

from __future__ import annotations

_declared: list[object] = []


def declare_missing_operators() -> None:
    """Declare `torchvision::nms` and `qnms` where torchvision cannot; call before importing it."""
    import importlib.util

    import torch

    if _declared or torch.version.cuda is not None or importlib.util.find_spec("torchvision") is None:
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        try:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError:  # torchvision is here already, with operators of its own
            return
    _declared.append(library)  # the schemas live as long as the library object
