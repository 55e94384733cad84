"""First weights of a Llama that is to learn copying: the circuit that copies, roughly laid out.

Copying needs two layers (induction heads; Olsson et al. 2022). In the first each head looks one, two, three
or four tokens back and notes what stands there. In the second a token is looked for whose predecessors are
the last tokens said, and what it is is said next. From random weights a model finds this after many thousand
lessons, all at once or not at all; from here on it improves from the first step, in seconds of training.
"""

from __future__ import annotations

from typing import Any

import torch

_FAST = 6
"""Pairs of a head's dimensions that turn fast enough to tell neighbouring positions apart; others compare."""
_DEPTH = 3
"""Last tokens that are compared."""
_SHARPNESS = 6.0
"""Of the look at one place back; 1 and more noise, 10 and training can hardly change it."""
_LIKENESS = 12.0
"""Weight of an equal token."""
_COPY, _QUIET = 2.0, 0.3
"""How loud what was found is beside what the model has just said; what is left of random queries and keys."""


@torch.no_grad()
def look_back(model: Any) -> None:  # noqa: ANN401 - a LlamaForCausalLM of two layers
    """Lay the circuit into a model with fresh random weights, by torch's own random generator."""
    first, second = model.model.layers
    for layer in (first, second):
        layer.mlp.down_proj.weight.zero_()
        layer.self_attn.q_proj.weight.mul_(_QUIET)
        layer.self_attn.k_proj.weight.mul_(_QUIET)
    _tokens(model)
    _compare(second.self_attn, _note(first.self_attn, model.model.rotary_emb.inv_freq))
    values_QW = _orthogonal(second.self_attn.v_proj.weight)
    second.self_attn.v_proj.weight.copy_(_COPY * values_QW)
    second.self_attn.o_proj.weight.copy_(_COPY * values_QW.T)


def _tokens(model: Any) -> None:  # noqa: ANN401
    """Give every token a random vector, a constant in front, and let the head read the same vectors."""
    vectors_VW = model.model.embed_tokens.weight.normal_()
    vectors_VW[:, 0] = 1.0
    model.lm_head.weight.copy_(vectors_VW / vectors_VW.shape[1] ** 0.5)
    model.lm_head.weight[:, 0] = 0.0


def _note(attention: Any, turns: torch.Tensor) -> list[torch.Tensor]:  # noqa: ANN401
    """Let head h look h + 1 tokens back; return what reads the token 0, 1, 2 ... back out of the residual."""
    width, heads = attention.head_dim, attention.q_proj.weight.shape[0] // attention.head_dim
    turns = turns[:_FAST]
    reads_DW = _orthogonal(attention.v_proj.weight)[:width]
    writes_WQ = _orthogonal(attention.o_proj.weight)
    back = [reads_DW.T @ reads_DW]  # of the token itself, as much as is noted of the others
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        query, key = attention.q_proj.weight[rows], attention.k_proj.weight[rows]
        # Only the constant is read: the key is one vector at every place, and the query the same vector
        # turned to where it stands `head + 1` places back. Dimension i turns together with i + width / 2.
        key[:_FAST, 0] = _SHARPNESS
        query[:_FAST, 0] = _SHARPNESS * torch.cos(turns * (head + 1))
        query[width // 2 : width // 2 + _FAST, 0] = -_SHARPNESS * torch.sin(turns * (head + 1))
        attention.v_proj.weight[rows] = reads_DW
        attention.o_proj.weight[:, rows] = writes_WQ[:, rows]
        back.append(reads_DW.T @ writes_WQ[:, rows].T)
    return back


def _compare(attention: Any, back: list[torch.Tensor]) -> None:  # noqa: ANN401
    """Let every head look where the tokens 1, 2, 3 back are the last ones said: 0, 1, 2 back."""
    width, residual = attention.head_dim, attention.q_proj.weight.shape[1]
    half = width // 2
    slow = torch.cat([torch.arange(_FAST, half), torch.arange(half + _FAST, width)])
    for start in range(0, attention.q_proj.weight.shape[0], width):
        query = key = torch.zeros(len(slow), residual)
        for place in range(_DEPTH):
            sketch = torch.randn(len(slow), residual) * (_LIKENESS / residual) ** 0.5
            query, key = query + sketch @ back[place], key + sketch @ back[place + 1]
        attention.q_proj.weight[start + slow], attention.k_proj.weight[start + slow] = query, key


def _orthogonal(like: torch.Tensor) -> torch.Tensor:
    """Return a random matrix of the shape of `like`, square here, whose rows are orthonormal."""
    return torch.linalg.qr(torch.randn(like.shape))[0]
