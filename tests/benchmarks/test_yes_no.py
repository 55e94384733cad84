"""Yes or no out of what models say."""

import pytest

from dama.benchmarks.yes_no import read_yes_no


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Yes", "yes"),
        ("no.", "no"),
        ("YES!", "yes"),
        ("**No**, there is none.", "no"),
        ("```\nyes\n```", "yes"),
        ("Answer: No", "no"),
        ("The answer is yes, although no cat is there.", "yes"),
        ("There is no dog.", "no"),
        ("“Yes”", "yes"),
        ("Well, yes", "yes"),
        ("No, yes is wrong", "no"),
        ("", None),
        ("There are three people.", None),
        ("It may be yes or no.", None),
        ("Nothing of note, yesterday", None),
    ],
)
def test_it_is_read_as_a_person_would(text: str, says: str | None) -> None:
    assert read_yes_no(text) == says
