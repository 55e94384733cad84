"""A small MMHal-Bench in the published format, and a judge's replies about answers to it."""

from __future__ import annotations

import json
from pathlib import Path

from dama.benchmarks.mmhal import TYPES


def write_mmhal(folder: Path, types: tuple[str, ...] = (*TYPES, "attribute")) -> Path:
    rows = [
        {
            "question_type": kind,
            "question_topic": "indoor",
            "image_id": f"i{number}",
            "image_src": f"https://example.org/{number}/photo{number}_o.jpg",
            "image_content": ["Cat", "Table"],
            "question": f"What is {number}?",
            "gt_answer": f"It is {number}.",
            "model_answer": "",
        }
        for number, kind in enumerate(types)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mmhal-bench_answer_template.json").write_text(json.dumps(rows))
    return folder


REPLIES = [
    "Good. Rating: 6",
    "Rating:5",  # the script finds nothing: 0
    "**Rating**: 4",  # nor here
    "A rating: 2 at first, but Rating: 3 in the end.",  # nor here, for there are two
    "rating: 2, very informative, with hallucination",
    "I refuse.",  # 0 for the script, unreadable for us
    "Rating: 0",
    "Rating: 3",
    "```\nRating: 1\n```",
]
