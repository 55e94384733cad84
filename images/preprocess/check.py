"""Run while the preprocessing image is built: vLLM and open_clip load beside each other, without a compiler."""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # no GPU is at hand while an image is built
os.environ["PATH"] = "/nonexistent"
os.environ["VLLM_NO_USAGE_STATS"] = "1"

from torchvision_cpu import declare_missing_operators

declare_missing_operators()

import open_clip
import vllm
from vllm import LLM, SamplingParams
from vllm.sampling_params import StructuredOutputsParams

print(f"vLLM {vllm.__version__} ({LLM.__name__}, {SamplingParams.__name__}, {StructuredOutputsParams.__name__})")
print(f"open_clip {open_clip.__version__}, {len(open_clip.list_models())} models")
