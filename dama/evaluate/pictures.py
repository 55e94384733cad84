"""The picture that a question is about, decoded; what a benchmark's folder holds is untrusted."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, UnidentifiedImageError

from dama.benchmarks.base import Benchmark
from dama.errors import DataError
from dama.records import Question


def pictures(benchmark: Benchmark) -> Callable[[Question], Image.Image]:
    """Return what gives a question's picture in RGB; DataError for one that is not there or not an image."""

    def picture(question: Question) -> Image.Image:
        try:
            return Image.open(io.BytesIO(benchmark.image(question))).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DataError(
                f"question {question.id}: image {question.image} cannot be decoded ({error})",
                do="fetch the benchmark's images again",
            ) from error

    return picture
