"""Texts to features: sorted by length, and no position run behind the last that is read.

OpenAI's text towers, and most of open_clip's, are causal and read the feature at the end mark: what is behind
it (padding, up to 77 positions) cannot reach it, so a fact of fifteen tokens needs fifteen positions. Whether
a tower is of that kind is asked of its mask and its pooling; any other is run over its whole context.

    T   text
    C   position of the context
    E   number of a feature
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dama.hardness.clip import Clip

_TOKENISED = 4096
"""Texts that are tokenised at a time."""


class TextTower:
    """The half of a CLIP model that reads texts."""

    def __init__(self, clip: Clip) -> None:
        self._clip, self._asked = clip, _Asked(clip.model)
        # open_clip keeps the tower in the model itself, or as its `text`
        inside = hasattr(clip.model, "text")
        self._tower = clip.model.text if inside else clip.model
        self._named = "model.text." if inside else "model."
        self._pool = getattr(self._tower, "pool_type" if inside else "text_pool_type", None)
        self._end: Any = getattr(self._tower, "eos_id" if inside else "text_eos_id", None)
        self.shortens = _causal(self._tower) and self._pool in ("argmax", "eos")
        """Whether positions behind the last that is read are left out."""
        self.context = clip.context
        """Tokens that are read at most, start and end marks included."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of every text before any cutting, start and end marks included."""
        tokenizer = self._clip.tokenizer
        inner = getattr(tokenizer, "tokenizer", None)
        if inner is None:
            return [len(tokenizer.encode(text)) + 2 for text in texts]
        framed = tokenizer.tokenizer_mode != "clips"  # there open_clip frames them itself, with three marks
        counts: list[int] = []
        for start in range(0, len(texts), _TOKENISED):
            cleaned = [tokenizer.clean_fn(text) for text in texts[start : start + _TOKENISED]]
            found = inner(cleaned, add_special_tokens=framed, verbose=False)["input_ids"]
            counts += [len(tokens) + (0 if framed else 3) for tokens in found]
        return counts

    def encode(self, texts: Sequence[str], batch: int) -> Iterator[tuple[list[str], Tensor]]:
        """Yield texts with their features, shape (T, E), as the model leaves them; the shortest first.

        `batch` texts of full length at a time, of shorter ones more: as many positions. Texts of one length
        keep their order, so order and batches follow from the texts alone.
        """
        if not texts:
            return
        row_TC = torch.cat(
            [
                self._clip.tokenizer(list(texts[start : start + _TOKENISED]))
                for start in range(0, len(texts), _TOKENISED)
            ]
        )
        lengths = self._read(row_TC)
        order = sorted(range(len(texts)), key=lengths.__getitem__)
        for chosen in _batches(order, lengths, batch * self.context):
            yield [texts[one] for one in chosen], self._features(row_TC[chosen, : lengths[chosen[-1]]])

    def _read(self, row_TC: Tensor) -> list[int]:
        """Return how many positions of every row its feature depends on."""
        if not self.shortens:
            return [row_TC.shape[1]] * len(row_TC)
        # the tower reads at the first end mark, or at the first of the highest tokens
        marks_TC = row_TC.eq(self._end).int() if self._pool == "eos" else row_TC
        return [1 + place for place in marks_TC.argmax(dim=-1).tolist()]

    @torch.inference_mode()
    def _features(self, row_TC: Tensor) -> Tensor:
        tokens, length = row_TC.to(self._clip.device), row_TC.shape[1]
        if length == self.context:
            return self._asked(tokens)  # type: ignore[no-any-return]
        shorter = {
            f"{self._named}positional_embedding": self._tower.positional_embedding[:length],
            f"{self._named}attn_mask": self._tower.attn_mask[:length, :length],
        }
        features: Tensor = functional_call(self._asked, shorter, (tokens,), tie_weights=False)
        return features


class _Asked(nn.Module):
    """A model that is called to encode texts, for `functional_call` calls a module."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - an open_clip model
        super().__init__()
        self.model = model

    def forward(self, row_TC: Tensor) -> Tensor:
        features: Tensor = self.model.encode_text(row_TC)
        return features


def _causal(tower: Any) -> bool:  # noqa: ANN401 - an open_clip tower
    """Say whether no position sees a later one, and none is put behind the text (CoCa's class token)."""
    mask = getattr(tower, "attn_mask", None)
    if mask is None or getattr(tower, "cls_emb", None) is not None:
        return False
    later = torch.ones_like(mask, dtype=torch.bool).triu(1)
    return bool(torch.isneginf(mask[later]).all()) and len(mask) == len(tower.positional_embedding)


def _batches(order: Sequence[int], lengths: Sequence[int], positions: int) -> Iterator[list[int]]:
    """Cut `order`, sorted by length, into runs of at most so many positions; a single one may have more."""
    run: list[int] = []
    for one in order:
        if run and (len(run) + 1) * lengths[one] > positions:
            yield run
            run = []
        run.append(one)
    if run:
        yield run
