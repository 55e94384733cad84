"""How far a step is, read off its object, whichever kind that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dama.cluster.kinds import Object

Phase = Literal["absent", "held", "waiting", "running", "done", "failed"]
_DONE, _FAILED = {"Complete", "Succeeded", "SuccessCriteriaMet"}, {"Failed", "FailureTarget"}


@dataclass(frozen=True)
class State:
    """A step's phase, and why if it failed or is held."""

    phase: Phase
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Say whether nothing more will happen."""
        return self.phase in ("done", "failed")


def state_of(one: Object | None) -> State:
    """Return how far a Job, PyTorchJob or TrainJob is; None stands for one that is not there."""
    if one is None:
        return State("absent")
    status = one.get("status") or {}
    true = {
        condition["type"]: f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
        for condition in status.get("conditions") or ()
        if condition.get("status") == "True"
    }
    for names, phase in ((_FAILED, "failed"), (_DONE, "done")):
        for name in names & set(true):
            return State("failed" if phase == "failed" else "done", true[name])
    if suspended(one):
        return State("held", "suspended")
    active = status.get("active") or _active_replicas(status) or "Running" in true
    return State("running" if active else "waiting")


def suspended(one: Object) -> bool:
    """Say whether the object holds its pods back."""
    spec = one.get("spec", {})
    policy = spec.get("runPolicy") if one["kind"] == "PyTorchJob" else spec
    return bool((policy or {}).get("suspend"))


def unsuspend(kind: str) -> Object:
    """Return the merge patch that lets an object of this kind run."""
    return {"spec": {"runPolicy": {"suspend": False}} if kind == "PyTorchJob" else {"suspend": False}}


def _active_replicas(status: Object) -> bool:
    counts = [*(status.get("replicaStatuses") or {}).values(), *(status.get("jobsStatus") or ())]
    return any(one.get("active") for one in counts)
