"""Every error a person can meet, as one tree; `dama.cli.app` is the one place that catches it.

    DamaError                 exit 1   a stage failed
    ├── SpecError             exit 2   the run file is wrong; holds every problem, each with its path
    ├── DataError                      a dataset, a row or an image
    ├── HardnessError                  facts, scores or alpha_data
    ├── ModelError                     weights, processor or tokenizer
    ├── TrainingError                  a step that cannot go on (NaN, lost rank)
    ├── MissingInput                   a stage's input is not there; names the stage that makes it
    ├── ToolMissing                    a program or package that this command needs is absent
    ├── JudgeError                     the judge of a benchmark does not answer, or refuses
    │   └── BudgetSpent                asking on would cost more than was allowed; what was asked is kept
    ├── StageFailed                    a stage's process ended badly; it has said why itself
    ├── ClusterError                   the cluster does not answer, or refuses
    │   └── NotAllowed                     the caller may not do this there
    └── StorageError                   bytes and places
        ├── ObjectMissing              no such object
        ├── AccessRefused              wrong or missing credentials
        ├── StoreUnreachable           no answer from the endpoint
        ├── StoreFull                  no space left
        └── CorruptArtifact            bytes are not those of the commit

    RestartMe                 exit 75  not a failure: saved and stopped, start me again

A message has three parts: what was found, what was wanted, what to do.
"""

from __future__ import annotations

from dataclasses import dataclass


class DamaError(Exception):
    """Root of all expected failures: one line for a person, no traceback."""

    exit_code = 1

    def __init__(self, found: str, *, wanted: str = "", do: str = "") -> None:
        self.found, self.wanted, self.do = found, wanted, do
        parts = [found, f"wanted {wanted}" if wanted else "", f"to mend: {do}" if do else ""]
        super().__init__("; ".join(" ".join(part.split()) for part in parts if part))


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a run file: where, what was found, what was wanted, what to do."""

    path: str
    found: str
    wanted: str = ""
    do: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.found}"
        if self.wanted:
            text += f"; wanted {self.wanted}"
        return text + (f"; {self.do}" if self.do else "")


class SpecError(DamaError):
    """A run file that cannot be used, with all its problems at once."""

    exit_code = 2

    def __init__(self, problems: list[Problem], source: str = "run file") -> None:
        self.problems, self.source = problems, source
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.args = ("\n".join(f"{source}: {problem}" for problem in problems),)


class DataError(DamaError):
    """A dataset, a row or an image cannot be used."""


class HardnessError(DamaError):
    """Facts, scores or alpha_data cannot be computed."""


class ModelError(DamaError):
    """Weights, processor or tokenizer cannot be loaded or do not fit together."""


class TrainingError(DamaError):
    """Training cannot go on."""


class MissingInput(DamaError):
    """A stage's input artifact is absent; `typed` is the run file as a person would type it again."""

    def __init__(self, stage: str, missing: str, place: str, typed: str = "RUNFILE") -> None:
        self.stage, self.missing, self.place = stage, missing, place
        super().__init__(
            f"stage '{stage}' reads what stage '{missing}' makes, and {place} holds no commit",
            do=f"run `dama stage {missing} {typed}` first (or `dama run {typed}` for all)",
        )

    def naming(self, typed: str) -> MissingInput:
        """Return the same error, raised where no run file's name is known, with that name."""
        return MissingInput(self.stage, self.missing, self.place, typed)


class ToolMissing(DamaError):
    """A program or package that is needed here is not installed."""


class JudgeError(DamaError):
    """The judge of a benchmark cannot be asked, or does not answer."""


class BudgetSpent(JudgeError):
    """The judge's budget is spent; the replies so far are kept, and the same command goes on from them."""


class StageFailed(DamaError):
    """A stage's process did not end well; its own line on stderr says why."""


class ClusterError(DamaError):
    """The API server does not answer, or refuses what it was asked."""


class NotAllowed(ClusterError):
    """The caller's credentials are missing, or do not allow this."""


class StorageError(DamaError):
    """Bytes could not be read or written."""


class ObjectMissing(StorageError):
    """No object under that key."""


class AccessRefused(StorageError):
    """The store refused the credentials."""


class StoreUnreachable(StorageError):
    """The store does not answer."""


class StoreFull(StorageError):
    """No space left where bytes were to go."""


class CorruptArtifact(StorageError):
    """An artifact's bytes are not those its commit names."""


class RestartMe(Exception):
    """Training saved its state and stopped on purpose; the same command goes on from there."""

    exit_code = 75
