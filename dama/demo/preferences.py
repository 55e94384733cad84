"""Preferences from the tiny LLaVA's own captions, labelled by the known truth.

Chosen says fewer false things than rejected, covers no less and never repeats itself: a true thing said
twice is not false, and alignment would learn to stutter. Of all such pairs those are taken that keep numbers
of mentions in balance: otherwise rejected captions are the longer ones and alignment teaches brevity.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from dama.benchmarks.judgement import judge
from dama.benchmarks.mentions import PROMPT
from dama.demo.painting import png
from dama.demo.scenes import Scene

_SENTENCE_START = re.compile(r"(?:^|(?<=\. ))[a-z]")
_PER_SCENE = 2
_TILT = 3
"""Most mentions that chosen captions may be ahead or behind by, over all preferences taken so far."""
SOURCE = "miniature"


@dataclass(frozen=True, slots=True)
class Choice:
    """Two captions of one scene, by its number, and which is preferred."""

    scene: int
    chosen: str
    rejected: str


def choose(scenes: Sequence[Scene], captions: Sequence[Sequence[str]], seed: int) -> list[Choice]:
    """Return the preferences among each scene's captions, at most two a scene, balanced in mentions."""
    rng = random.Random(f"preferences/{seed}")
    tilt, choices = 0, []
    for number, (scene, said) in enumerate(zip(scenes, captions, strict=True)):
        pairs = list(_pairs(scene, said))
        rng.shuffle(pairs)
        used: set[str] = set()
        for _ in range(_PER_SCENE):
            free = [pair for pair in pairs if not used & {pair[0], pair[1]}]
            best = min(free, key=lambda pair: abs(tilt + pair[2]), default=None)
            if best is None or abs(tilt + best[2]) > _TILT:
                break
            chosen, rejected, longer = best
            tilt += longer
            used |= {chosen, rejected}
            choices.append(Choice(number, chosen, rejected))
    return choices


def natural(caption: str) -> str:
    """Return `caption` with a capital letter at the start of every sentence."""
    return _SENTENCE_START.sub(lambda match: match[0].upper(), caption.strip())


def write_preferences(file: Path, scenes: Sequence[Scene], choices: Sequence[Choice]) -> None:
    """Write preferences as parquet in the columns of the RLAIF-V dataset; same choices, same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = []
    for index, choice in enumerate(choices):
        name = f"scene-{choice.scene:05d}.png"
        rows.append(
            {
                "ds_name": SOURCE,
                "image": {"bytes": png(scenes[choice.scene]), "path": name},
                "question": PROMPT,
                "chosen": choice.chosen,
                "rejected": choice.rejected,
                "origin_dataset": SOURCE,
                "origin_split": json.dumps({"split": "preferences", "scene": choice.scene}),
                "idx": index,
                "image_path": name,
            }
        )
    text = pa.string()
    schema = pa.schema(
        [
            ("ds_name", text),
            ("image", pa.struct([("bytes", pa.binary()), ("path", text)])),
            *((name, text) for name in ("question", "chosen", "rejected", "origin_dataset", "origin_split")),
            ("idx", pa.int64()),
            ("image_path", text),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)


def _pairs(scene: Scene, captions: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Yield every chosen and rejected caption, and how many mentions the chosen one has more."""
    judged = [(text, judge(text, scene.mentions)) for text in dict.fromkeys(captions) if text]
    for (chosen, better), (rejected, worse) in permutations(judged, 2):
        truer = len(better.false) < len(worse.false)
        if truer and better.covered >= worse.covered and not better.repeated:
            yield chosen, rejected, better.mentions - worse.mentions
