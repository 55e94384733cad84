"""`dama images`: the lock that names every image by digest, held against the registries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The images that a run starts, by digest.")

Lock = Annotated[
    Path | None, typer.Option("--lock", metavar="FILE", help="Another lock than the one that dama brings.")
]


@app.command()
def verify(
    lock: Lock = None,
    offline: Annotated[bool, typer.Option("--offline", help="Read the lock only; ask no registry.")] = False,
) -> None:
    """Check that every image in the lock has a digest, and that its registry has exactly those bytes."""
    from dama.cli.arguments import console
    from dama.errors import DamaError, StorageError
    from dama.spec.images import LOCK, PUSH, UNPUSHED, read_lock
    from dama.storage.registry import check_image

    out, wrong = console(), []
    for name, reference in read_lock(lock or LOCK).items():
        state = "not asked" if offline else "there"
        if reference == UNPUSHED:
            state = f"has no digest yet; to mend: {PUSH}"
            wrong.append(name)
        elif not offline:
            try:
                check_image(reference)
            except StorageError as error:
                state = str(error)
                wrong.append(name)
        out.print(f"{name:<11} {reference}", markup=False)
        out.print(f"{'':<11} {state}", markup=False)
    if wrong:
        raise DamaError(f"images that cannot be counted on: {', '.join(wrong)}", do="see above")


@app.command()
def pin(
    pushed: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=REFERENCE...", help="What was pushed, by tag and digest.", show_default=False
        ),
    ],
    lock: Lock = None,
) -> None:
    """Write digests into the lock, as `make push` does."""
    from dama.cli.arguments import console
    from dama.errors import Problem, SpecError
    from dama.spec.images import LOCK, OURS, write_lock

    images = dict(item.partition("=")[::2] for item in pushed)
    if wrong := [name for name in images if name not in OURS]:
        raise SpecError([Problem(name, "no image of ours", wanted=", ".join(OURS)) for name in wrong], "pin")
    write_lock(images, lock or LOCK)
    for name, reference in images.items():
        console().print(f"{name}: {reference}", markup=False)
