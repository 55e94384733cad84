"""Run while the training image is built: DeepSpeed's operators load, and no compiler is asked for."""

import os
import sys

os.environ["DS_ACCELERATOR"] = "cpu"  # no GPU is at hand while an image is built
os.environ["PATH"] = "/nonexistent"  # an operator that would be compiled now cannot be

from deepspeed.accelerator import get_accelerator
from deepspeed.git_version_info import installed_ops

built = {name for name, there in installed_ops.items() if there}
if sys.argv[1] == "cpu":
    if "deepspeed_shm_comm" not in built:
        sys.exit(f"deepspeed_shm_comm was not built; built: {sorted(built)}")
    get_accelerator().create_op_builder("ShareMemCommBuilder").load()
print(f"DeepSpeed's operators: {', '.join(sorted(built)) or 'none, and none is asked for (torch has AdamW)'}")
