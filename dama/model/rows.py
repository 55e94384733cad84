"""Preferences laid into rows of tokens, and the rule that says who sees whom.

Shared layout: prompt, chosen, rejected one behind the other; image and prompt are run once, each answer sees
the prompt and itself, and its positions go on where the prompt ended. Several preferences can be packed into
one row, where none sees another. The concatenated layout, one row an answer, is the usual one: what the
shared one must equal, and what a model that cannot share gets.

Names of shapes: B rows, L tokens of the longest row, T predicted tokens, N preferences, I images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dama.errors import ModelError
from dama.model.encode import Encoded

PROMPT, PADDING = 0, -1
Part = tuple[int, Sequence[int]]
"""A preference's number in the batch and which of its answers stand behind its prompt."""


@dataclass(frozen=True)
class Rows:
    """A micro-batch for one forward."""

    ids_BL: Tensor
    positions_BL: Tensor
    documents_BL: Tensor
    """Which preference of its row a token belongs to, -1 padding."""
    segments_BL: Tensor
    """0 prompt, 1.. the answers, -1 padding."""
    images: Mapping[str, Tensor]
    """What the processor made of the images, in the order of their tokens in the flattened rows."""
    per_token: Mapping[str, Tensor]
    """What the processor says of each token beside its id; empty for LLaVA."""
    predict_at_T: Tensor
    """Where in the flattened rows the hidden state lies that predicts each answer token."""
    read_at_U: Tensor
    """The same places, each once."""
    targets_T: Tensor
    """The answer tokens themselves."""
    owners_T: Tensor
    """preference · number of answers + answer, for each predicted token."""
    shape: tuple[int, int]
    """(N preferences, answers of each)."""

    def to(self, device: torch.device) -> Rows:
        """Return the rows on `device`."""

        def moved(value: Tensor) -> Tensor:
            return value.to(device, non_blocking=True)

        return Rows(
            **{name: moved(value) for name, value in vars(self).items() if torch.is_tensor(value)},
            images={name: moved(value) for name, value in self.images.items()},
            per_token={name: moved(value) for name, value in self.per_token.items()},
            shape=self.shape,
        )


def shared_rows(batch: Sequence[Encoded], pad_id: int, budget: int | None = None) -> Rows:
    """Lay each preference once: the prompt, then every answer.

    One row a preference, or rows of at most `budget` tokens with as many preferences as fit (one that alone
    is longer still gets its row).
    """
    every = range(len(batch[0].answers))
    if budget is None:
        return _rows([[(n, every)] for n in range(len(batch))], batch, pad_id)
    return _rows([[(n, every) for n in row] for row in _packed(batch, budget)], batch, pad_id)


def concatenated_rows(batch: Sequence[Encoded], pad_id: int) -> Rows:
    """Lay each answer into a row of its own, with its own copy of image and prompt."""
    return _rows([[(n, [k])] for n, e in enumerate(batch) for k in range(len(e.answers))], batch, pad_id)


def _packed(batch: Sequence[Encoded], budget: int) -> list[list[int]]:
    """Return the preferences of each row: the longest first, each into the first row that has room for it."""
    rows: list[list[int]] = []
    room: list[int] = []
    for n in sorted(range(len(batch)), key=lambda n: -batch[n].tokens):
        size = batch[n].tokens
        row = next((row for row, left in enumerate(room) if left >= size), None)
        if row is None:
            rows.append([n])
            room.append(budget - size)
        else:
            rows[row].append(n)
            room[row] -= size
    return rows


def _rows(layout: Sequence[Sequence[Part]], batch: Sequence[Encoded], pad_id: int) -> Rows:
    answers = len(batch[0].answers)
    laid = [_lay(row, batch) for row in layout]
    length = max(len(row.ids) for row in laid)
    order = [n for row in layout for n, _ in row]
    predict_at_T = torch.cat([number * length + row.predict_at for number, row in enumerate(laid)])
    return Rows(
        ids_BL=pad_sequence([row.ids for row in laid], batch_first=True, padding_value=pad_id),
        positions_BL=pad_sequence([row.positions for row in laid], batch_first=True),
        documents_BL=pad_sequence([row.documents for row in laid], batch_first=True, padding_value=PADDING),
        segments_BL=pad_sequence([row.segments for row in laid], batch_first=True, padding_value=PADDING),
        images={name: _joined(name, [batch[n].images[name] for n in order]) for name in batch[0].images},
        per_token={
            name: pad_sequence([row.per_token[name] for row in laid], batch_first=True)
            for name in batch[0].per_token
        },
        predict_at_T=predict_at_T,
        read_at_U=torch.unique(predict_at_T),
        targets_T=torch.cat([row.targets for row in laid]),
        owners_T=torch.cat([row.owners for row in laid]),
        shape=(len(batch), answers),
    )


@dataclass(frozen=True)
class _Row:
    """One row before padding; the fields are those of `Rows`."""

    ids: Tensor
    positions: Tensor
    documents: Tensor
    segments: Tensor
    predict_at: Tensor
    targets: Tensor
    owners: Tensor
    per_token: Mapping[str, Tensor]


def _lay(parts: Sequence[Part], batch: Sequence[Encoded]) -> _Row:
    ids, positions, documents, segments = [], [], [], []
    predict_at, targets, owners = [], [], []
    per_token: dict[str, list[Tensor]] = {name: [] for name in batch[0].per_token}
    end = 0
    for document, (n, chosen) in enumerate(parts):
        prompt, answers = batch[n].prompt_ids_P, list(batch[n].answers.values())
        start, last = len(prompt), end + len(prompt) - 1
        ids.append(prompt)
        positions.append(torch.arange(start))
        segments.append(torch.full((start,), PROMPT))
        before, end = end, end + start
        for k in chosen:
            size = len(answers[k])
            ids.append(answers[k])
            positions.append(torch.arange(start, start + size))
            segments.append(torch.full((size,), k + 1))
            # the prompt's last token predicts the answer's first, each answer token the next
            predict_at += [torch.tensor([last]), torch.arange(end, end + size - 1)]
            targets.append(answers[k])
            owners.append(torch.full((size,), n * len(answers) + k))
            end += size
        documents.append(torch.full((end - before,), document))
        for name, value in batch[n].per_token.items():
            # an answer's tokens are text, as the prompt's last one is
            per_token[name] += [value, value[-1:].repeat_interleave(end - before - start, 0)]
    return _Row(
        torch.cat(ids),
        torch.cat(positions),
        torch.cat(documents),
        torch.cat(segments),
        torch.cat(predict_at),
        torch.cat(targets),
        torch.cat(owners),
        {name: torch.cat(values) for name, values in per_token.items()},
    )


def _joined(name: str, tensors: Sequence[Tensor]) -> Tensor:
    if len({tensor.shape[1:] for tensor in tensors}) > 1:
        shapes = sorted({tuple(tensor.shape[1:]) for tensor in tensors})
        raise ModelError(
            f"the processor's {name} differ in shape from image to image: {shapes[0]}, {shapes[1]}",
            wanted="one shape, so that images can be batched",
            do="set train.per_device_batch=1, or give the images one size",
        )
    return torch.cat(list(tensors))
