"""FlexAttention compiles its kernels on the machine that runs them, and so wants a C compiler there."""

from __future__ import annotations

import os
import shutil

from dama.errors import ToolMissing


def require_compiler() -> None:
    """Raise ToolMissing when there is no C compiler where Triton and torch look for one: CC, gcc, clang."""
    if not any(shutil.which(name) for name in (os.environ.get("CC") or "gcc", "gcc", "clang")):
        raise ToolMissing(
            "train.attention: flex compiles kernels, and no C compiler is on PATH",
            do="set train.attention: sdpa, or give images.train an image with gcc and Python's headers",
        )
