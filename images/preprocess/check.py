"""Run while the preprocessing image is built: vLLM and open_clip load side by side, without a compiler."""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # no GPU is at hand while an image is built
os.environ["PATH"] = "/nonexistent"
os.environ["VLLM_NO_USAGE_STATS"] = "1"

from torchvision_cpu import declare_missing_operators

declare_missing_operators()

import open_clip  # noqa: E402 - after the operators
import vllm  # noqa: E402
from vllm import LLM  # noqa: E402
from vllm.sampling_params import StructuredOutputsParams  # noqa: E402

if sys.argv[1] == "cpu":  # CUDA's wants a driver
    import vllm._C  # the compiled half, and what it wants of the system

print(f"vLLM {vllm.__version__} with {LLM.__name__} and {StructuredOutputsParams.__name__}")
print(f"open_clip {open_clip.__version__} with {len(open_clip.list_models())} models")
