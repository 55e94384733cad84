"""The splitter that a run file names, ready to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dama.errors import HardnessError
from dama.stages.base import StageContext

if TYPE_CHECKING:
    from dama.hardness.facts import Splitter


def open_splitter(context: StageContext) -> Splitter:
    """Return the splitter of the run's `hardness.facts`; HardnessError when the run has no hardness."""
    from dama.hardness.rules import RuleSplitter

    if context.spec.hardness is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    return RuleSplitter(context.spec.hardness.facts)
