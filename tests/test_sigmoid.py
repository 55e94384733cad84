"""σ neither overflows nor loses its small end."""

from __future__ import annotations

import math

import pytest

from dama.sigmoid import sigmoid


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(0.0) == 0.5
    assert sigmoid(1000.0) == 1.0
    assert sigmoid(-1000.0) == 0.0
    assert sigmoid(-700.0) == pytest.approx(math.exp(-700), rel=1e-12)


def test_both_halves_add_up_to_one() -> None:
    assert all(sigmoid(x) + sigmoid(-x) == pytest.approx(1.0, abs=1e-15) for x in (0.0482, 0.5, 3.0, 40.0))
