"""The dense bfloat16 peak of GPUs, by the name CUDA gives them: what MFU is a share of."""

from __future__ import annotations

import re

_TERA = 1e12
_PEAKS = (  # as the vendors' data sheets have it, without sparsity; the first name that fits counts
    ("B300", 2250),
    ("B200", 2250),
    ("B100", 1750),
    ("GH200", 989.4),
    ("H200", 989.4),
    ("H20", 148),
    ("H100 PCIe", 756),
    ("H100 NVL", 835),
    ("H100", 989.4),
    ("H800", 989.4),
    ("A100", 311.9),
    ("A800", 311.9),
    ("L40S", 362),
    ("L40", 181),
    ("L4", 121),
    ("A40", 149.7),
    ("A30", 165),
    ("A10G", 70),
    ("A10", 125),
    ("RTX A6000", 154.8),
    ("RTX 4090", 165.2),
    ("RTX 3090", 71),
)


def peak_flops(device: str) -> float | None:
    """Return operations per second of a GPU called `device`, None where it is not known."""
    for name, tera in _PEAKS:
        if re.search(rf"\b{name}\b", device):  # an RTX A4000 is no A40
            return tera * _TERA
    return None
