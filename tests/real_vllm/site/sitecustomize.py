"""torchvision beside CPU torch, in processes that vLLM's own command starts (`dama.torchvision_cpu`)."""

from dama.torchvision_cpu import declare_missing_operators

declare_missing_operators()
