"""How many logits exist at one time: the head runs in chunks by it, and `dama plan` reckons with it."""

from __future__ import annotations

LOGITS_BYTES = 256 * 2**20
"""Float32 logits; beyond it the head runs in chunks, computed again backward."""
