"""JSON as Go writes it: the cases are what Go's encoding/json gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dama.manifests.canonical import canonical


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0, "4"),
        (0.1, "0.1"),
        (5e-7, "5e-7"),
        (1.5e-7, "1.5e-7"),
        (2e-5, "0.00002"),
        (1e-6, "0.000001"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1e-10, "-1e-10"),
        (0.0, "0"),
        (50_000_000, "50000000"),
        ("a<b>&c", '"a\\u003cb\\u003e\\u0026c"'),
        ("β\n", '"β\\n"'),
        ({}, "{}"),
        ([], "[]"),
        (None, "null"),
        (True, "true"),
        (
            {"b": [1, {"a": None}], "a": ()},
            '{\n  "a": [],\n  "b": [\n    1,\n    {\n      "a": null\n    }\n  ]\n}',
        ),
    ],
)
def test_values_are_written_as_go_writes_them(value: Any, text: str) -> None:
    assert canonical(value) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_it_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value), parse_int=float) == value


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical(float("nan"))
