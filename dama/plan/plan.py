"""`dama plan` as data: what a run file comes to on each kind of device, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dama.model.host import host_memory
from dama.model.shape import ModelShape
from dama.plan.case import Case
from dama.plan.device import GPUS
from dama.plan.forecast import (
    Asked,
    Forecast,
    case_for,
    checkpoint_bytes,
    model_bytes,
    on_cpu,
    on_gpu,
    preferences_of,
)
from dama.plan.paper import Paper, beside
from dama.plan.proposals import Proposal, proposals
from dama.spec.run import RunSpec

SCHEMA_VERSION = 1
_PAPERS = "llava-hf/llava-1.5-7b-hf"
"""The model whose hours the paper gives."""


@dataclass(frozen=True)
class Plan:
    """Everything that a plan says."""

    spec: RunSpec
    case: Case
    asked: Asked
    preferences: int
    forecasts: tuple[Forecast, ...]
    proposals: tuple[Proposal, ...]
    """For the first device that the run does not fit on."""
    paper: Paper | None
    """Where the run is one that the paper gives hours for, and A100s are among the devices."""

    @property
    def fits(self) -> bool:
        """Say whether the run fits on one of the devices at least."""
        return any(forecast.fits for forecast in self.forecasts)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON; keys stay as they are within SCHEMA_VERSION."""
        case = self.case
        return {
            "schema_version": SCHEMA_VERSION,
            "run": self.spec.name,
            "fits": self.fits,
            "parameters": case.parameters,
            "trained": case.trained,
            "tokens": {"prompt": case.prompt, "answer": case.answer, "longest_answer": case.longest},
            "preferences": self.preferences,
            "checkpoint_bytes": checkpoint_bytes(case),
            "model_bytes": model_bytes(case),
            "devices": [_device(forecast, case.ranks) for forecast in self.forecasts],
            "proposals": [
                {
                    "device": proposal.forecast.device,
                    "set": list(proposal.overrides),
                    "why": proposal.why,
                    "total_bytes": proposal.forecast.memory.total,
                    "hours": proposal.forecast.time.hours if proposal.forecast.time else None,
                }
                for proposal in self.proposals
            ],
        }


def make_plan(spec: RunSpec, shape: ModelShape, asked: Asked, gpu: str | None = None) -> Plan:
    """Return the plan of a run on one kind of GPU, or on all; on this machine if it trains on the CPU."""
    case = case_for(spec, shape, asked)
    chosen = [GPUS[gpu]] if gpu else list(GPUS.values())
    if spec.train.device == "cpu" and gpu is None:
        share = host_memory() // (case.ranks // case.nodes)
        cpu = (on_cpu(spec, shape, share, asked),)
        return Plan(spec, case, asked, preferences_of(spec, asked), cpu, (), None)
    forecasts = tuple(on_gpu(spec, shape, one, asked) for one in chosen)
    short = next((one for one, forecast in zip(chosen, forecasts, strict=True) if not forecast.fits), None)
    proposed = tuple(proposals(spec, shape, short, asked)) if short else ()
    model = spec.model
    told = model.kind == "hub" and model.id == _PAPERS and chosen[0].name == "a100-80"
    paper = beside(case, forecasts[0].memory.passing) if told else None
    return Plan(spec, case, asked, preferences_of(spec, asked), forecasts, proposed, paper)


def _device(forecast: Forecast, ranks: int) -> dict[str, Any]:
    memory, time = forecast.memory, forecast.time
    found: dict[str, Any] = {
        "device": forecast.device,
        "fits": forecast.fits,
        "capacity_bytes": forecast.capacity,
        "total_bytes": memory.total,
        "moment": memory.moment,
        "bytes": memory.parts,
        "host_bytes": memory.host * ranks,
        "passes": 2 if memory.passing.two else 1,
        "micro_batch": memory.passing.micro_batch,
        "recompute": memory.passing.recompute,
    }
    if time is not None:
        found |= {
            "step_seconds": time.step,
            "compute_seconds": time.compute,
            "communication_seconds": time.communication,
            "optimizer_seconds": time.optimizer,
            "reference_seconds": time.reference,
            "steps": time.steps,
            "preferences_per_second": time.preferences_per_second,
            "mfu": time.mfu,
            "hours": time.hours,
            "gpu_hours": time.hours * ranks,
        }
    return found
