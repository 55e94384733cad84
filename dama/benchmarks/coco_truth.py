"""What is in COCO's images: the kinds of its boxes, and of what its captions name."""

from __future__ import annotations

from collections.abc import Mapping

from dama.benchmarks.base import Mode
from dama.benchmarks.coco_objects import CocoObjects
from dama.benchmarks.files import BenchmarkFiles, take

Truth = dict[Mode, dict[str, frozenset[str]]]
"""By mode (captions are read with its lemmas) and image id, the kinds of objects that are there."""


def coco_truth(files: BenchmarkFiles, images: set[str], objects: Mapping[Mode, CocoObjects]) -> Truth:
    """Return what is in `images`; train2014 is read only for those that val2014 lacks."""
    truth: dict[Mode, dict[str, set[str]]] = {mode: {} for mode in objects}
    left = set(images)
    for split in ("val", "train"):
        if not left:
            break
        name = f"instances_{split}2014.json"
        boxes = files.json(name)
        listed, categories, annotations = take(files, name, boxes, "images", "categories", "annotations")
        here = left & {str(image["id"]) for image in listed}
        names = {category["id"]: str(category["name"]) for category in categories}
        for mode, known in objects.items():
            truth[mode] |= {id: set() for id in here}
            for box in annotations:
                if str(box["image_id"]) in here:
                    kind = known.kind(names[box["category_id"]])
                    if kind is None:
                        raise files.malformed(name, f"has category {names[box['category_id']]}, no synonym")
                    truth[mode][str(box["image_id"])].add(kind)
        captions = files.json(f"captions_{split}2014.json")
        for caption in take(files, f"captions_{split}2014.json", captions, "annotations")[0]:
            if (id := str(caption["image_id"])) in here:
                for mode, known in objects.items():
                    truth[mode][id] |= {one.kind for one in known.in_text(caption["caption"])}
        left -= here
    if left:
        raise files.malformed("COCO's annotations", f"lack images {', '.join(sorted(left)[:3])}")
    return {mode: {id: frozenset(kinds) for id, kinds in known.items()} for mode, known in truth.items()}
