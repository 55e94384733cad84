"""Floating-point operations that one preference needs: what MFU counts, and what `dama plan` divides by.

    P      prompt tokens, image tokens included     A_k    tokens of answer k
    L      text layers                              D, V   width, vocabulary
    H      heads · head width                       M      weights of a layer's matrices
    R      positions that are read, 1 + Σ(A_k − 1)  M'     of them, all but keys' and values'

    forward of a layer    2·M·(P + ΣA_k) + 4·H·pairs
    of the last layer     2·(M − M')·(P + ΣA_k) + 2·M'·R + 4·H·pairs     nobody reads the other positions
    pairs                 P(P+1)/2 + Σ (A_k·P + A_k(A_k+1)/2)      who sees whom, each answer apart
    head                  2·D·V·ΣA_k                               answer tokens only
    backward              twice the forward of what is trained: one for inputs, one for weights

A multiplication and an addition are two operations. Image and prompt count once, whatever is run; norms,
softmax, rotary positions and activations are left out, as MFU leaves them out (PaLM, appendix B). Nothing
that is computed again, padded or duplicated is useful.
"""

from __future__ import annotations

from collections.abc import Sequence

from dama.model.shape import ModelShape


def useful_flops(
    shape: ModelShape, prompt: int, answers: Sequence[int], *, learned: bool, adapters: bool = False
) -> float:
    """Return the operations of one preference with image and prompt run once.

    `prompt` includes image tokens; `learned` adds the backward, which stops at the frozen vision tower. With
    `adapters` (LoRA) the matrices themselves get no gradient: the backward is one for inputs alone.
    """
    text = text_flops(shape, prompt, answers) + projector_flops(shape)
    backward = (1 if adapters else 2) * text if learned else 0.0
    return tower_flops(shape, shape.tower.used_layers) + text + backward


def tower_flops(shape: ModelShape, layers: int) -> float:
    """Return the forward of `layers` layers of the vision tower on one image, embedding included."""
    tower = shape.tower
    matrices = 4 * tower.width**2 + 2 * tower.width * tower.feed_forward
    layer = 2 * matrices * tower.tokens + 4 * tower.width * tower.tokens**2
    embedding = 2 * tower.channels * tower.patch**2 * tower.width * tower.patches
    return float(layers * layer + embedding)


def projector_flops(shape: ModelShape) -> float:
    """Return the forward of the projector on one image's features."""
    width = shape.text.width
    return 2.0 * shape.image_tokens * (shape.projector_input * width + width * width)


def text_flops(shape: ModelShape, prompt: int, answers: Sequence[int]) -> float:
    """Return the forward of the text layers and the head on one preference in the shared layout."""
    text, tokens = shape.text, prompt + sum(answers)
    attention = 4 * text.heads * text.head_width * seen_pairs(prompt, answers)
    layers = text.layers * (2 * text.layer_matrices * tokens + attention)
    return float(layers + 2 * text.embedding * sum(answers)) - unread_flops(shape, prompt, answers)


def unread_flops(shape: ModelShape, prompt: int, answers: Sequence[int]) -> float:
    """Return what the last layer leaves out where nobody reads: queries, output projection, feed-forward."""
    text = shape.text
    trimmed = 2 * text.heads * text.head_width * text.width + 3 * text.width * text.feed_forward
    read = 1 + sum(size - 1 for size in answers)  # the prompt's last position, and each answer's but the last
    return 2.0 * trimmed * (prompt + sum(answers) - read)


def seen_pairs(prompt: int, answers: Sequence[int]) -> int:
    """Return how many (token, token that it sees) there are: causal, and no answer sees another."""
    return prompt * (prompt + 1) // 2 + sum(a * prompt + a * (a + 1) // 2 for a in answers)
