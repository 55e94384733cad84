"""torchvision beside a CPU build of torch.

The registry's torchvision wheel is built against CUDA torch; beside the CPU build its compiled half does not
load, and `import torchvision` fails on the schemas of two operators that nothing here calls. Declaring the
schemas lets the import pass; transforms are plain torch and work. Nothing is done where torchvision imports
by itself.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[object] = []


def declare_missing_operators() -> None:
    """Make `import torchvision` work; call before transformers or open_clip import it."""
    if _declared or importlib.util.find_spec("torchvision") is None:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision warns that its compiled half is absent
            import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # the half-imported package
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}{_SCHEMA}")  # type: ignore[no-untyped-call]
        _declared.append(library)  # the schemas live as long as the library object
    else:
        _declared.append(None)
