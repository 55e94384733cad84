"""One rank that trains a small LLaVA by DeepSpeed and counts its bytes: `engine_worker.py SETTINGS.json`."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from live_bytes import LiveBytes

PROMPT_TEXT, ANSWER, PREFERENCES, BUCKET = 40, 60, 4, 3_000_000
CONFIG: dict[str, Any] = {
    "model_type": "llava",
    "image_token_index": 3,
    "image_seq_length": 64,
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": 112,
        "patch_size": 14,
    },
    "text_config": {
        "model_type": "llama",
        "vocab_size": 4000,
        "hidden_size": 256,
        "intermediate_size": 640,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
    },
}


def main(settings: dict[str, Any]) -> None:
    """Take two steps; rank 0 writes what it counted."""
    from dama.spec.train import TrainSpec
    from dama.train import ranks
    from dama.train.begin import begin

    dtype = settings.pop("dtype")
    out = Path(settings.pop("out"))
    spec = TrainSpec.model_validate({**settings, "device": "cpu", "dtype": "float32", "threads": 1})
    begin(spec)

    import deepspeed
    import torch
    from live_bytes import LiveBytes
    from transformers import AutoConfig, LlavaForConditionalGeneration

    from dama.model.encode import Encoded
    from dama.model.logps import AnswerLogps
    from dama.model.rows import shared_rows
    from dama.train.deepspeed import configuration

    found: dict[str, int] = {}
    with LiveBytes() as live:
        config = AutoConfig.for_model(**CONFIG)
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config).to(getattr(torch, dtype))
        module = AnswerLogps(model, gradient_checkpointing=spec.gradient_checkpointing).train()
        settings = configuration(spec)
        settings["bf16"] = {"enabled": dtype == "bfloat16"}
        settings["zero_optimization"]["reduce_bucket_size"] = BUCKET
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        live.mark()
        engine, *_ = deepspeed.initialize(model=module, config=settings, model_parameters=trained)
        found["loading"] = live.peak
        found["ready"] = _settled(live)
        for _ in range(2):
            image, text = torch.full((64,), 3), torch.arange(5, 5 + PROMPT_TEXT)
            prompt, pixels = torch.cat([image, text]), torch.rand(1, 3, 112, 112)
            answers = {name: torch.randint(5, 4000, (ANSWER,)) for name in ("chosen", "rejected")}
            encoded = Encoded("x", prompt, {"pixel_values": pixels}, answers, 0)
            rows = shared_rows([encoded] * PREFERENCES, 0)
            before = live.mark()
            logps = engine(rows)
            found["kept"] = live.now - before
            loss = logps.sum()
            del logps
            engine.backward(loss)
            found["backward"] = live.peak
            found["gradients"] = _settled(live) - before
            del loss
            live.mark()
            engine.step()
            found["step"] = live.peak
    inner = getattr(engine.optimizer, "optimizer", engine.optimizer)
    moments = [value for entry in inner.state.values() for value in entry.values() if torch.is_tensor(value)]
    found["moments"] = sum(tensor.nbytes for tensor in moments if tensor.dim())
    if ranks.rank() == 0:
        out.write_text(json.dumps(found))
    ranks.stop()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads may abort a process that ends the usual way


def _settled(live: LiveBytes) -> int:
    """Return what lives once that stays the same: gloo's threads hold what they sent last a moment longer."""
    alike, before = 0, -1
    while alike < 5:
        gc.collect()
        alike, before = (alike + 1 if live.now == before else 0), live.now
        time.sleep(0.05)
    return before


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
