"""The images of a release: one lock file that names each by tag and digest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dama.errors import Problem, SpecError

OURS = ("preprocess", "train", "control")
"""The images that are built here; a lock that was never pushed has no digests for them."""
RUN = (*OURS, "store")
"""The images that a run starts: ours and the S3 server."""
NAMES = ("base", "store", *OURS)
"""All that the lock has, in its order: what ours are built from, and what runs."""
LOCK = Path(__file__).parent.parent / "manifests" / "images.lock"
"""The lock that an installed dama brings."""
UNPUSHED = "unpushed"
"""What stands in the lock where no digest is known yet."""
REFERENCE = (
    r"^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)+"
    r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@sha256:[0-9a-f]{64}$"
)
"""An image by registry, path, tag and digest; the digest decides, the tag tells people what it is."""
PUSH = "make push REGISTRY=..."


def locked_images(names: Sequence[str] = RUN, lock: Path = LOCK) -> Mapping[str, str]:
    """Return the references of images that a run starts, each by its name of RUN.

    Raises SpecError if the lock cannot be read, or if one was never pushed, with the command that does it.
    """
    images = read_lock(lock)
    if missing := [name for name in names if images[name] == UNPUSHED]:
        raise SpecError(
            [
                Problem(
                    f"images.{name}",
                    "has no digest yet",
                    wanted="an image that was pushed to a registry",
                    do=f"run `{PUSH}`, which builds, pushes and writes the digests",
                )
                for name in missing
            ],
            lock.name,
        )
    return {name: images[name] for name in names}


def read_lock(lock: Path = LOCK) -> dict[str, str]:
    """Return all that the lock says, in its order: name to reference, or to UNPUSHED for ours.

    Raises SpecError with every problem: a line that is no NAME REFERENCE, a reference without digest, a name
    that is unknown, missing or there twice.
    """
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem("(file)", f"cannot be read: {error}")], str(lock)) from error
    images: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"line {number}"
        if len(words) != 2:
            problems.append(Problem(place, repr(line), wanted="NAME REFERENCE"))
        elif words[0] not in NAMES:
            problems.append(Problem(place, f"'{words[0]}'", wanted=", ".join(NAMES)))
        elif words[0] in images:
            problems.append(Problem(place, f"'{words[0]}' is there twice", do="remove one"))
        else:
            name, reference = words
            images[name] = reference
            if not re.fullmatch(REFERENCE, reference) and not (reference == UNPUSHED and name in OURS):
                problems.append(Problem(place, f"'{reference}'", wanted="REGISTRY/PATH:TAG@sha256:DIGEST"))
    problems += [Problem(name, "missing", wanted="a line for it") for name in NAMES if name not in images]
    if problems:
        raise SpecError(problems, str(lock))
    return images


def write_lock(pushed: Mapping[str, str], lock: Path = LOCK) -> None:
    """Write the references of images that were pushed; other lines and comments stay as they are."""
    read_lock(lock)
    wrong = [name for name, reference in pushed.items() if not re.fullmatch(REFERENCE, reference)]
    if wrong:
        raise SpecError([Problem(name, f"'{pushed[name]}'", wanted="a digest") for name in wrong], str(lock))
    lines = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        name = (line.split() or [""])[0]
        lines.append(f"{name:<11} {pushed[name]}" if name in pushed else line)
    lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
