"""Every stage that a run can have: the miniature world's own in front of all runs' stages."""

from __future__ import annotations

from dama.demo import splitter_stage, stage
from dama.stages import registry
from dama.stages.base import Stage

STAGES: tuple[Stage, ...] = (stage.STAGE, splitter_stage.STAGE, *registry.STAGES)
