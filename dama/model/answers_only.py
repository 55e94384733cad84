"""The last layer runs only where somebody reads: exact, and less work.

Keys and values of every token are needed, but of what the last layer makes of them only the hidden states
that predict an answer token are ever looked at. So the other position-wise parts of the last layer (queries,
attention's output projection, the feed-forward) run on those, and elsewhere give zeros that nobody reads.
With 200 answer tokens of 840 that is more than half of one layer.

Names of shapes: B rows, L tokens, D width, U positions that are read.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

READ_AT = "read_at_U"
"""Name under which a forward is told the positions, through the model down to its last layer."""
_MARK = "_runs_on_answers_only"


def run_last_layer_on_answers_only(last_layer: nn.Module) -> None:
    """Make a Llama-like model's last layer heed READ_AT; a forward that names no positions is as ever."""
    if not hasattr(last_layer, _MARK):
        setattr(last_layer, _MARK, _LastLayer(last_layer))


class _LastLayer:
    """Hooks on the last layer of a language model."""

    def __init__(self, last_layer: nn.Module) -> None:
        self._at_U: Tensor | None = None
        # Inside what gradient checkpointing repeats, so that a repeated forward reads its own positions.
        last_layer.register_forward_pre_hook(self._begin, with_kwargs=True)
        for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp"):
            _Part(last_layer.get_submodule(name), self)

    @property
    def at_U(self) -> Tensor | None:
        """Positions in the flattened rows, each once; None for all."""
        return self._at_U

    def _begin(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._at_U = kwargs.get(READ_AT)


class _Part:
    """A position-wise module that is given some positions and gives back all."""

    def __init__(self, module: nn.Module, owner: _LastLayer) -> None:
        self._owner, self._rows = owner, (0, 0)
        module.register_forward_pre_hook(self._take)
        module.register_forward_hook(self._put_back)

    def _take(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if self._owner.at_U is None:
            return None
        self._rows = (args[0].shape[0], args[0].shape[1])
        return (args[0].flatten(0, 1)[self._owner.at_U], *args[1:])

    def _put_back(self, module: nn.Module, args: tuple[Tensor, ...], output_UD: Tensor) -> Tensor | None:
        if self._owner.at_U is None:
            return None
        rows, length = self._rows
        every = output_UD.new_zeros(rows * length, output_UD.shape[-1])
        return every.index_copy(0, self._owner.at_U, output_UD).view(rows, length, -1)
