"""First weights of a Llama that is to learn copying: the circuit that copies, roughly laid out.

Copying takes two layers (induction heads; Olsson et al. 2022). In the first, heads look one, two and three
tokens back and note what stands there. In the second, a place is looked for that comes behind the tokens just
said, and what stands at that place is said next. From random weights a model finds this after tens of
thousands of lessons, all at once or not at all; from here on it improves with the first step.

    a vector of the residual stream:   1 | name of the token | note 1 back | note 2 back | note 3 back
"""

from __future__ import annotations

from typing import Any

import torch

_NOTES = 3
"""Heads that look back."""
_FAST = 4
"""Pairs of a head's dimensions that turn fast enough to tell neighbouring places apart; others compare."""
_PLACE, _LIKENESS = 6.0, 12.0
"""Weights of a place's nearness and of a token's likeness: higher, and training can hardly change them."""
_NAME, _REST, _NOTE = 1.8, 0.3, 0.6
"""How loud a token's name is, what stands where notes will, and a note beside the name it tells."""
_COPY, _QUIET = 2.0, 0.3
"""How loud what was found is beside what was said last; what is left of random queries and keys."""


@torch.no_grad()
def lay_circuit(model: Any) -> None:  # noqa: ANN401 - a LlamaForCausalLM
    """Lay the circuit into a fresh model of two layers; torch's random generator draws what is random in it.

    A head is as wide as a note, and the model `_NOTES` + 1 times as wide.
    """
    first, second = model.model.layers
    for layer in (first, second):
        layer.mlp.down_proj.weight.zero_()
        layer.self_attn.q_proj.weight.mul_(_QUIET)
        layer.self_attn.k_proj.weight.mul_(_QUIET)
    _name_tokens(model, first.self_attn.head_dim)
    for head in range(_NOTES):
        _look_back(first.self_attn, head, head + 1, model.model.rotary_emb.inv_freq[:_FAST])
    _compare(second.self_attn)
    values = torch.linalg.qr(torch.randn(second.self_attn.v_proj.weight.shape))[0]
    second.self_attn.v_proj.weight.copy_(_COPY * values)
    second.self_attn.o_proj.weight.copy_(_COPY * values.T)


def _name_tokens(model: Any, width: int) -> None:  # noqa: ANN401
    """Give every token a random vector, all equally long, and let the language head read the same vectors."""
    vectors_VW = model.model.embed_tokens.weight.normal_()
    for part, loud in ((slice(1, width), _NAME), (slice(width, None), _REST)):
        entries = vectors_VW[:, part]
        entries.mul_(loud * entries.shape[1] ** 0.5 / entries.norm(dim=1, keepdim=True))
    vectors_VW[:, 0] = 1.0
    model.lm_head.weight.copy_(vectors_VW / vectors_VW.shape[1] ** 0.5)
    model.lm_head.weight[:, 0] = 0.0


def _look_back(attention: Any, head: int, back: int, turns: torch.Tensor) -> None:  # noqa: ANN401
    """Let a head look `back` tokens back and write the name found there as its note."""
    width = attention.head_dim
    rows, half = slice(head * width, (head + 1) * width), width // 2
    query, key = attention.q_proj.weight[rows], attention.k_proj.weight[rows]
    # Only the constant is read: every key is one vector turned to its place, and the query the same vector
    # turned to the place wanted. Dimensions i and i + half turn together.
    for weights in (query, key):
        weights[:_FAST] = 0.0
        weights[half : half + _FAST] = 0.0
    key[:_FAST, 0] = _PLACE
    query[:_FAST, 0] = _PLACE * torch.cos(turns * back)
    query[half : half + _FAST, 0] = -_PLACE * torch.sin(turns * back)
    attention.v_proj.weight[rows] = 0.0
    attention.v_proj.weight[rows, _words(0, width)] = _NOTE * torch.eye(width)[:, 1:]
    attention.o_proj.weight[:, rows] = 0.0
    attention.o_proj.weight[_words(back, width), rows] = torch.eye(width)[1:]


def _compare(attention: Any) -> None:  # noqa: ANN401
    """Let every head look where the tokens 1, 2 and 3 back are those just said: 0, 1 and 2 back."""
    width = attention.head_dim
    half, rows = width // 2, attention.q_proj.weight.shape[0]
    slow = torch.cat([torch.arange(_FAST, half), torch.arange(half + _FAST, width)])
    scale = (_LIKENESS / attention.q_proj.weight.shape[1]) ** 0.5
    for start in range(0, rows, width):
        attention.q_proj.weight[start + slow] = 0.0
        attention.k_proj.weight[start + slow] = 0.0
        for back in range(_NOTES):
            sketch = scale * torch.randn(len(slow), width - 1)
            attention.q_proj.weight[start + slow, _words(back, width)] = sketch
            attention.k_proj.weight[start + slow, _words(back + 1, width)] = sketch


def _words(back: int, width: int) -> slice:
    """Return where in the residual stream the name of the token `back` places back stands."""
    return slice(back * width + 1, (back + 1) * width)
