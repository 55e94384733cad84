"""Local files and folders that a run file names and that are not there."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

from dama.errors import Problem
from dama.spec.paths import local_sources, mounted
from dama.spec.run import RunSpec


class Absent(NamedTuple):
    """Something that is not there."""

    problem: Problem
    in_pods: bool
    """Whether the run file says that it lies in the run's pods, where nobody can look from here."""


class _Wanted(NamedTuple):
    words: str
    file: bool = False
    folder: bool = True


_MODEL = _Wanted("a folder in Hugging Face layout (config.json, safetensors, processor)")
_WANTED = {
    "model.path": _MODEL,
    "data.images": _Wanted("the folder that image paths start at"),
    "hardness.facts.model.path": _MODEL,
    "hardness.scorer.weights": _Wanted("a file or a folder of open_clip weights", file=True),
}
_PARQUET = _Wanted("a parquet file or a folder of them", file=True)
_FILE = _Wanted("one file", file=True, folder=False)
_BENCHMARK = {
    "data": _Wanted("the folder with the benchmark's published files"),
    "images": _Wanted("the folder with the benchmark's images"),
}


def absent(spec: RunSpec) -> list[Absent]:
    """Return everything local that a run of `spec`, whose paths are absolute, would look for in vain.

    Addresses of other machines (s3://, hf://, hub ids) are not looked at.
    """
    found = []
    for path, text in local_sources(spec):
        place, wanted = Path(text.removeprefix("file://")), _wanted(spec, path)
        said = _said(place, wanted)
        if said:
            problem = Problem(
                path, f"{place} {said}", wanted=wanted.words, do=f"put it there, or mend {path}"
            )
            # Of a run file's local paths only those below cluster.volumes can be meant for pods: `dama
            # render` refuses all others. So the path itself says whose it is, whatever else is written.
            found.append(Absent(problem, mounted(spec, text)))
    return found


def _wanted(spec: RunSpec, path: str) -> _Wanted:
    if path == "data.uri":
        return _PARQUET if spec.data.kind == "rlaif-v" else _FILE
    return _WANTED.get(path) or _BENCHMARK[path.rpartition(".")[2]]


def _said(place: Path, wanted: _Wanted) -> str:
    """Say what is wrong with a place, "" where it is what is wanted."""
    try:
        is_folder = stat.S_ISDIR(place.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return "is not there"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    if is_folder:
        return "" if wanted.folder else "is a folder"
    return "" if wanted.file else "is no folder"
