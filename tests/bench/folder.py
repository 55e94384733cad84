"""A folder with all that a training reads, at a shape that is measured: model, processor, preferences.

Our engine and TRL read it each in its own way; the chat template closes the answer with end-of-text, because
TRL learns only what the template renders and both must learn the same tokens.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

from shapes import FIRST_WORD, Shape, new_llava

from dama.data.parquet import write_rows
from dama.data.table import IMAGE_SCHEMA, IMAGES, PREFERENCE_SCHEMA, PREFERENCES
from dama.records import ReferenceLogps
from dama.train.reference import Reference, write_reference

CHAT = (
    "{% for m in messages %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image> {% else %}{{ c['text'] }} {% endif %}{% endfor %}"
    "{% if m['role'] == 'assistant' %}</s>{% endif %}{% endfor %}"
)
_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>")


def write_folder(folder: Path, shape: Shape, count: int) -> Path:
    """Write `llava/`, `data/` and `reference/` with `count` preferences to `folder`, unless it is there."""
    if (folder / "reference").exists():
        return folder
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or DeepSpeed says aloud that it looked for a GPU
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    new_llava(shape).save_pretrained(folder / "llava")
    _processor(shape).save_pretrained(folder / "llava")
    _data(folder / "data", shape, count)
    reference = folder / "reference"
    reference.mkdir()
    # what a reference says costs no time: its answers are read from the file, whatever they are
    rows = [ReferenceLogps(f"p{n}", -900.0, -900.0) for n in range(count)]
    write_reference(reference, Reference(rows, [], 0))
    return folder


def _processor(shape: Shape) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

    names = [*_SPECIAL, *(f"w{n}" for n in range(FIRST_WORD, shape.vocabulary))]
    words = Tokenizer(models.WordLevel({name: n for n, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
    images = CLIPImageProcessor(
        size={"shortest_edge": shape.image}, crop_size={"height": shape.image, "width": shape.image}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=shape.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )


def _data(folder: Path, shape: Shape, count: int) -> None:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)

    def words(size: int) -> str:
        return " ".join(f"w{n}" for n in random.integers(FIRST_WORD, shape.vocabulary, size))

    folder.mkdir()
    preferences, images, blob = [], [], b""
    for n in range(count):
        buffer = io.BytesIO()
        pixels = random.integers(0, 255, (shape.image, shape.image, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG")
        sha = hashlib.sha256(buffer.getvalue()).hexdigest()
        images.append({"sha256": sha, "file": "images-00000.bin", "offset": len(blob), "size": buffer.tell()})
        blob += buffer.getvalue()
        preferences.append(
            {
                "id": f"p{n}",
                "image": sha,
                "prompt": words(shape.prompt - shape.image_tokens),
                "chosen": words(shape.answer - 1),
                "rejected": words(shape.answer - 1),
                "source": "",
            }
        )
    (folder / "images-00000.bin").write_bytes(blob)
    write_rows(folder / PREFERENCES, PREFERENCE_SCHEMA, iter(preferences))
    write_rows(folder / IMAGES, IMAGE_SCHEMA, iter(images))
