"""A benchmark's files as they are published: found by name, read as JSON, named by their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dama.errors import DataError


class BenchmarkFiles:
    """The folder of one benchmark; what was read from it makes up its digest."""

    def __init__(self, benchmark: str, folder: Path, images: Path | None = None) -> None:
        if not folder.is_dir():
            raise DataError(
                f"{benchmark}: {folder} is no folder",
                wanted="the folder with the benchmark's published files",
                do="mend its data folder",
            )
        self._benchmark, self._folder, self._images = benchmark, folder, images
        below = _folders(folder)
        self._places = (folder, *below, *(place for one in below for place in _folders(one)))
        self._read: dict[str, str] = {}

    def find(self, *names: str) -> Path | None:
        """Return the first of `names` that is a file of the folder or at most two folders below it."""
        paths = (place / name for name in names for place in self._places)
        return next((path for path in paths if path.is_file()), None)

    def text(self, *names: str) -> str:
        """Return the text of the first of `names` that is there; DataError when none is."""
        path = self.find(*names)
        if path is None:
            raise DataError(
                f"{self._benchmark}: {self._folder} holds no {' or '.join(names)}",
                wanted="the benchmark's published files",
                do="fetch them, or mend its data folder",
            )
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self._benchmark}: {path} cannot be read: {error}") from error
        self._read[names[0]] = hashlib.sha256(data).hexdigest()
        return text

    def json(self, *names: str) -> Any:  # noqa: ANN401 - a JSON tree
        """Return what a JSON file holds."""
        return self._parsed(self.text(*names), names[0])

    def jsonl(self, *names: str) -> list[dict[str, Any]]:
        """Return the objects of a JSONL file."""
        rows = []
        for number, line in enumerate(self.text(*names).splitlines(), start=1):
            if line.strip():
                rows.append(self._parsed(line, f"{names[0]}, line {number}"))
        return rows

    def digest(self, *more: str) -> str:
        """Return the sha256 (hex) of every file read so far, and of `more` words."""
        content = json.dumps([sorted(self._read.items()), more], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def malformed(self, name: str, found: str) -> DataError:
        """Return the error for a file that is not in the published format."""
        return DataError(
            f"{self._benchmark}: {name} {found}",
            wanted="the published format",
            do="fetch the benchmark's files again",
        )

    def image(self, question: str, *names: str) -> bytes:
        """Return the bytes of the first image file among `names`; DataError when none is there."""
        roots = (self._images,) if self._images is not None else self._places
        for root in roots:
            for name in names:
                path = root / name
                if ".." not in Path(name).parts and path.is_file():
                    return path.read_bytes()
        raise DataError(
            f"{self._benchmark}: question {question} has no image {' or '.join(names)} "
            f"in {self._images or self._folder}",
            do="fetch the benchmark's images, or say where they are (`images`, `--images`)",
        )

    def _parsed(self, text: str, name: str) -> Any:  # noqa: ANN401 - a JSON tree
        try:
            return json.loads(text)
        except ValueError as error:
            raise self.malformed(name, f"is not JSON ({error})") from error


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def take(files: BenchmarkFiles, name: str, row: object, *keys: str) -> Sequence[Any]:
    """Return the values of `keys` of one row; DataError names the file and the key that is missing."""
    if not isinstance(row, dict) or any(key not in row for key in keys):
        lacking = [key for key in keys if not isinstance(row, dict) or key not in row]
        raise files.malformed(name, f"has a row without {', '.join(lacking)}")
    return [row[key] for key in keys]
