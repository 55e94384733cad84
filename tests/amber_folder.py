"""A small AMBER in the published format, and answers to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RELATION = {
    "beach": ["sand", "ground"],
    "ground": ["floor"],
    "dog": [],
    "ship": ["boat"],
    "sky": [],
    "bird": ["dove"],
    "man": ["person"],
    "tree": ["leave"],
}
CAPTIONS: dict[int, tuple[list[str], list[str]]] = {
    1: (["beach", "ground", "dog"], ["bird", "man"]),
    2: (["ship", "ship", "sky"], ["dog"]),
    3: (["tree"], ["sky", "man"]),
}
QUESTIONS: dict[int, tuple[str, str]] = {
    4: ("discriminative-hallucination", "no"),
    5: ("discriminative-hallucination", "no"),
    6: ("discriminative-attribute-state", "yes"),
    7: ("discriminative-attribute-number", "no"),
    8: ("discriminative-attribute-action", "yes"),
    9: ("discriminative-relation", "no"),
    10: ("relation", "yes"),
}
PARTS = {"existence": (4, 5), "attribute": (6, 7, 8), "relation": (9, 10), "discriminative": range(4, 11)}
TEXTS = {
    1: "A dog on the ground. A dove above, sand, and a unicorn.",
    2: "Two boats. A Man and men.",
    3: "Leaves.",
    4: "No",
    5: "Yes, there is.",
    6: "yes.",
    7: "No",
    8: "No",
    9: "I cannot say",
    10: "Yes",
}
"""An answer to each."""


def write_amber(folder: Path) -> Path:
    """Write the benchmark's files; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations: list[dict[str, Any]] = [
        {"id": id, "type": "generative", "truth": truth, "hallu": hallu}
        for id, (truth, hallu) in CAPTIONS.items()
    ]
    annotations += [{"id": id, "type": kind, "truth": truth} for id, (kind, truth) in QUESTIONS.items()]
    _write(folder / "annotations.json", annotations)
    _write(folder / "relation.json", RELATION)
    (folder / "safe_words.txt").write_text("sand\nindividual")
    queries = [{"id": id, "image": f"AMBER_{id}.jpg", "query": "Describe this image."} for id in CAPTIONS]
    _write(folder / "query_generative.json", queries)
    for part, ids in PARTS.items():
        rows = [{"id": id, "image": "AMBER_1.jpg", "query": f"Is {id} so?"} for id in ids]
        _write(folder / f"query_discriminative{'' if part == 'discriminative' else '-' + part}.json", rows)
    return folder


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
