"""Who answers: a model behind one of the engines, asked about many images at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from PIL import Image

from dama.records import Answer, Question


class Answerer(Protocol):
    """A vision-language model that answers greedily."""

    def answer(
        self,
        questions: Sequence[Question],
        image: Callable[[Question], Image.Image],
        advance: Callable[[int], None] = lambda count: None,
    ) -> list[Answer]:
        """Return one answer a question, in order; `image` gives the picture that a question is about.

        The answers are a function of these questions and images alone. `advance` is told of questions done.
        """
        ...
