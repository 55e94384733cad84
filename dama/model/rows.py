"""Preferences laid into rows of tokens, and the mask that says who sees whom.

Shared layout, one row a preference: prompt, chosen, rejected; image and prompt are run once, each answer
sees the prompt and itself, and its positions go on where the prompt ended. The concatenated layout, one row
an answer, is the usual one and the reference that the shared one must equal.

Names of shapes: B rows, L tokens of the longest row, T predicted tokens, N preferences, I images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dama.model.encode import Encoded

PROMPT, PADDING = 0, -1


@dataclass(frozen=True)
class Rows:
    """A micro-batch for one forward."""

    ids_BL: Tensor
    positions_BL: Tensor
    segments_BL: Tensor
    """0 prompt, 1.. the answers, -1 padding."""
    pixels_ICHW: Tensor
    predict_at_T: Tensor
    """Where in the flattened rows the hidden state lies that predicts each answer token."""
    targets_T: Tensor
    """The answer tokens themselves."""
    owners_T: Tensor
    """preference · number of answers + answer, for each predicted token."""
    shape: tuple[int, int]
    """(N preferences, answers of each)."""

    def to(self, device: torch.device) -> Rows:
        """Return the rows on `device`."""
        tensors = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if torch.is_tensor(value)
        }
        return Rows(**tensors, shape=self.shape)

    def mask_B1LL(self) -> Tensor:
        """Return who sees whom: earlier tokens of the prompt and of one's own segment, and oneself."""
        segments = self.segments_BL
        length = segments.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
        same = segments[:, :, None] == segments[:, None, :]
        to_prompt = (segments == PROMPT)[:, None, :] & (segments != PADDING)[:, :, None]
        itself = torch.eye(
            length, dtype=torch.bool, device=segments.device
        )  # padding sees itself: no empty softmax
        seen = (same & (segments != PADDING)[:, :, None]) | to_prompt
        return ((seen & causal) | itself)[:, None]


def shared_rows(batch: Sequence[Encoded], pad_id: int) -> Rows:
    """Lay each preference into one row: the prompt, then every answer."""
    return _rows([(n, tuple(enumerate(e.answers.values()))) for n, e in enumerate(batch)], batch, pad_id)


def concatenated_rows(batch: Sequence[Encoded], pad_id: int) -> Rows:
    """Lay each answer into a row of its own, with its own copy of image and prompt."""
    spread = [(n, ((k, ids),)) for n, e in enumerate(batch) for k, ids in enumerate(e.answers.values())]
    return _rows(spread, batch, pad_id)


def _rows(
    layout: Sequence[tuple[int, tuple[tuple[int, Tensor], ...]]], batch: Sequence[Encoded], pad_id: int
) -> Rows:
    answers = len(batch[0].answers)
    ids, positions, segments, pixels = [], [], [], []
    at: list[tuple[int, Tensor]] = []
    targets, owners = [], []
    for row, (n, parts) in enumerate(layout):
        prompt = batch[n].prompt_ids_P
        start = len(prompt)
        pieces, places, marks = [prompt], [torch.arange(start)], [torch.full((start,), PROMPT)]
        end = start
        for k, answer in parts:
            size = len(answer)
            pieces.append(answer)
            places.append(torch.arange(start, start + size))
            marks.append(torch.full((size,), k + 1))
            # the prompt's last token predicts the answer's first, each answer token the next
            at.append((row, torch.cat([torch.tensor([start - 1]), torch.arange(end, end + size - 1)])))
            targets.append(answer)
            owners.append(torch.full((size,), n * answers + k))
            end += size
        ids.append(torch.cat(pieces))
        positions.append(torch.cat(places))
        segments.append(torch.cat(marks))
        pixels.append(batch[n].pixels_ICHW)
    ids_BL = pad_sequence(ids, batch_first=True, padding_value=pad_id)
    length = ids_BL.shape[1]
    return Rows(
        ids_BL=ids_BL,
        positions_BL=pad_sequence(positions, batch_first=True),
        segments_BL=pad_sequence(segments, batch_first=True, padding_value=PADDING),
        pixels_ICHW=torch.cat(pixels),
        predict_at_T=torch.cat([row * length + where for row, where in at]),
        targets_T=torch.cat(targets),
        owners_T=torch.cat(owners),
        shape=(len(batch), answers),
    )
