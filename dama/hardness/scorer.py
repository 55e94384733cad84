"""Scores by CLIP: logit_scale · cosine of every fact and the preference's image (Eq 3).

The softmax of Eq 4 needs scaled logits (about 100 · cosine for the OpenAI models): over raw cosines it is
nearly flat and δ would only count facts. A logit_bias (SigLIP) is left out: the softmax does not see it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import torch
from torch import Tensor

from dama.hardness.clip import Clip
from dama.hardness.decoding import decoders
from dama.hardness.features import Features
from dama.hardness.reading import OverLength, Reader, Reading
from dama.hardness.similarity import Images
from dama.hardness.texts import TextTower
from dama.records import Facts, PairScore, Preference

WINDOW = 2048
"""Preferences that are held at a time."""
_PAIRS = 4096
"""Cosines that are taken at a time."""


class ClipScorer:
    """Encodes every distinct image and every distinct fact of a call once, in batches.

    Nothing is kept from one call to the next: a call's scores follow from its items alone, to the bit.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        batch: int = 64,
        over_length: OverLength = "truncate",
        window: int = WINDOW,
        threads: int | None = None,
    ) -> None:
        self.clip, self._tower = clip, TextTower(clip)
        self._reader = Reader(self._tower, over_length)
        self._batch, self._window, self._threads = batch, window, threads or decoders()
        self.counts: Counter[str] = Counter()
        """Since the scorer was made: `images` and `texts` encoded, facts `truncated` and `split`."""

    def score(self, items: Iterable[tuple[Preference, Facts]], images: Images) -> Iterator[PairScore]:
        """Yield the scaled logits of every preference's facts, in the order given.

        A fact of more tokens than the model reads is cut and its answer flagged `chosen:truncated`, or split
        into pieces whose mean score is the fact's (`chosen:split`), or refused: HardnessError. HardnessError
        too, naming the preference, for an image that does not decode and for features that are not finite.
        """
        features = Features(self.clip, self._tower, images, self.counts, self._batch, self._threads)
        stream = iter(items)
        while window := list(islice(stream, self._window)):
            yield from self._scores(window, self._reader.readings(window), features)

    def _scores(
        self, window: Sequence[tuple[Preference, Facts]], read: Mapping[str, Reading], features: Features
    ) -> Iterator[PairScore]:
        pairs: list[tuple[str, str]] = []
        whose_text: dict[str, str] = {}
        whose_image: dict[str, str] = {}
        for preference, facts in window:
            whose_image.setdefault(preference.image, preference.id)
            for text in (*facts.chosen, *facts.rejected):
                for piece in read[text].pieces:
                    whose_text.setdefault(piece, preference.id)
                    pairs.append((piece, preference.image))
        cosines = _cosines(pairs, features.of_texts(whose_text), features.of_images(whose_image))
        scale = self.clip.scale
        for preference, facts in window:
            sides, flags = [], []
            for side, texts in (("chosen", facts.chosen), ("rejected", facts.rejected)):
                scores = []
                for text in texts:
                    parts = [scale * next(cosines) for _ in read[text].pieces]
                    scores.append(math.fsum(parts) / len(parts))
                sides.append(tuple(scores))
                marks = Counter(read[text].mark for text in texts if read[text].mark)
                self.counts.update(marks)
                flags += [f"{side}:{mark}" for mark in marks]
            yield PairScore(preference.id, sides[0], sides[1], tuple(flags))


def _cosines(
    pairs: Sequence[tuple[str, str]], texts: Mapping[str, Tensor], images: Mapping[str, Tensor]
) -> Iterator[float]:
    """Yield the cosine of every text and image; in float64, so that it does not depend on the others."""
    for start in range(0, len(pairs), _PAIRS):
        part = pairs[start : start + _PAIRS]
        text_PE = torch.stack([texts[text] for text, _ in part]).double()
        image_PE = torch.stack([images[image] for _, image in part]).double()
        yield from (text_PE * image_PE).sum(dim=-1).tolist()
