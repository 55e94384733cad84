"""What a forward keeps for its backward, and what the backward needs on top.

    L, n, t   text layers, preferences of the micro-batch, tokens of their rows: n·(P + ΣA)
    D, F, H   width, feed-forward width, heads · head width
    S, w      tokens of a row, bytes of a weight

A text layer keeps, of every token (transformers' modules, scaled dot-product attention):

    two RMS norms      2·(4D + 2·wD)       the input in float32, what it is scaled by, the result
                       2·(3·4D) in float32, where the input's own copy is kept
    attention          5·wH                queries, keys, values behind the rotation, output, its copy
    feed-forward       4·wF                gate, its SiLU, up, their product
    mask               w·S a token         the boolean mask as numbers, made for each layer

    without recomputing   L · (all of that)
    recomputing           L · wD · t, the layers' inputs; backward makes one layer's at a time again

On top: the projector (2·wD + w·input an image token), embedding and image mask, the last norm. The head keeps
float32 logits of the answer tokens, 4·V each, and its backward three times that again, while everything else
still lives; beyond `LOGITS_BYTES` (256 MiB) it runs in chunks and is recomputed, so that only one chunk's
exist. The frozen tower keeps nothing, but transformers hands out all its layers' outputs at one time.
"""

from __future__ import annotations

from dama.model.logits import LOGITS_BYTES
from dama.plan.case import Case


def row_tokens(case: Case) -> int:
    """Return the tokens of a preference in the shared layout, as long as memory is reckoned for."""
    return case.prompt + 2 * case.longest


def saved(case: Case, preferences: int, *, recompute: bool) -> int:
    """Return the bytes that a forward of so many preferences keeps, logits left out."""
    text, w = case.shape.text, case.weight
    tokens = preferences * row_tokens(case)
    image = preferences * case.shape.image_tokens
    layer = w * text.width * tokens if recompute else layer_saved(case, preferences)
    around = image * w * (2 * text.width + case.shape.projector_input)
    around += tokens * text.width * (1 + w)  # where image features go, and the embedding with them
    around += tokens * _norm(case) + 2 * preferences * case.longest * text.width * w
    return text.layers * layer + around


def layer_saved(case: Case, preferences: int) -> int:
    """Return the bytes that one text layer keeps without recomputing."""
    text, w = case.shape.text, case.weight
    tokens, heads = preferences * row_tokens(case), text.heads * text.head_width
    each = 2 * _norm(case) + 5 * w * heads + 4 * w * text.feed_forward
    return tokens * (each + w * row_tokens(case))


def working(case: Case, preferences: int, *, recompute: bool) -> int:
    """Return what the backward of one layer needs beside what is kept: its gradients, its own activations."""
    text, w = case.shape.text, case.weight
    gradients = preferences * row_tokens(case) * w * (3 * text.feed_forward + 2 * text.width)
    return gradients + (layer_saved(case, preferences) if recompute else 0)


def largest_gradient(case: Case) -> int:
    """Return the bytes of the largest gradient of a weight, that of the embedding or the head."""
    text = case.shape.text
    return 0 if case.adapters else case.weight * max(text.embedding, text.width * text.feed_forward)


def looking(case: Case, preferences: int) -> int:
    """Return what the vision tower holds at the end of its forward: every layer's output, one at work."""
    tower = case.shape.tower
    each = (tower.layers + 1) * tower.width + tower.feed_forward + 4 * tower.width
    return preferences * tower.tokens * each * case.weight


def logits_kept(case: Case, preferences: int) -> int:
    """Return the float32 logits that live from forward to backward; none where the head runs in chunks."""
    whole = _logits(case, preferences)
    return whole if whole <= LOGITS_BYTES else 0


def logits_working(case: Case, preferences: int) -> int:
    """Return what the head's backward holds beside `logits_kept`: softmax, two gradients, one in `w`."""
    whole = _logits(case, preferences)
    if whole <= LOGITS_BYTES:
        return 3 * whole
    return (16 + case.weight) * LOGITS_BYTES // 4


def _logits(case: Case, preferences: int) -> int:
    return 4 * case.shape.text.vocabulary * 2 * case.longest * preferences


def _norm(case: Case) -> int:
    """Return the bytes that one RMS norm keeps of a token, its result included."""
    width, w = case.shape.text.width, case.weight
    return width * (4 + 2 * w)
