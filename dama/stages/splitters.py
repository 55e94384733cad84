"""The splitter that a run file names, ready to use, and what names the facts it finds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.errors import HardnessError, ToolMissing
from dama.hardness.instruction import VERSION
from dama.spec.hardness import RuleFacts, ServedFacts, VllmFacts
from dama.spec.model import HubModel, LocalModel
from dama.spec.run import RunSpec
from dama.stages.base import StageContext
from dama.stages.model_folder import checked_folder, hub_folder

if TYPE_CHECKING:
    from dama.hardness.facts import Splitter
    from dama.serving.chat import Chat
    from dama.serving.endpoint import Asking

WORLD = "splitter"
"""The stage that trains the miniature world's own splitter; its folder `model` is read."""
_NOT_OF_THE_FACTS = {"gpu_memory", "key_env", "concurrency", "attempts", "timeout_seconds"}


def open_splitter(context: StageContext) -> Splitter:
    """Return the splitter of the run's `hardness.facts`; it loads nothing before its first `split`.

    HardnessError when the run has no hardness, or a local model is not the one it was frozen with.
    """
    from dama.hardness.rules import RuleSplitter

    if context.spec.hardness is None:
        raise HardnessError("this run has no hardness", do="add a part `hardness` to the run file")
    facts = context.spec.hardness.facts
    if isinstance(facts, RuleFacts):
        return RuleSplitter(facts)
    from dama.hardness.asked import AskedSplitter

    return AskedSplitter(facts, lambda: _chat(facts, context))


def facts_key(spec: RunSpec) -> dict[str, Any] | None:
    """Return what names the facts: rules or model, instruction and limits; not how it is asked."""
    if spec.hardness is None:
        return None
    facts = spec.hardness.facts
    key = facts.model_dump(mode="json", exclude=_NOT_OF_THE_FACTS)
    if isinstance(facts, RuleFacts):
        return key
    if (
        isinstance(facts, VllmFacts)
        and isinstance(facts.model, LocalModel)
        and facts.model.digest is not None
    ):
        key["model"] = {"digest": facts.model.digest}  # its bytes name it, not its place
    return {**key, "instruction": VERSION}


def asks_world(spec: RunSpec) -> bool:
    """Say whether the miniature world's own splitter finds the facts."""
    facts = spec.hardness.facts if spec.hardness else None
    return isinstance(facts, VllmFacts) and facts.model.kind == "miniature"


def require_splitter(spec: RunSpec) -> None:
    """Raise what would keep the splitter from working: a package or a key that is not there."""
    facts = spec.hardness.facts if spec.hardness else None
    if isinstance(facts, VllmFacts) and importlib.util.find_spec("vllm") is None:
        raise ToolMissing(
            "hardness.facts.engine is vllm, and the package vllm is not installed",
            do="pip install vllm (it brings a torch of its own), run this stage in the preprocessing image, "
            "or choose the engine rules or served",
        )
    if isinstance(facts, ServedFacts):
        from dama.serving.endpoint import key_of

        if importlib.util.find_spec("openai") is None:
            raise ToolMissing(
                "hardness.facts.engine is served, and the package openai is not installed",
                do="pip install 'dama[judge]', or choose the engine rules or vllm",
            )
        key_of(facts, _asking(facts))


def _chat(facts: VllmFacts | ServedFacts, context: StageContext) -> Chat:
    if isinstance(facts, ServedFacts):
        from dama.serving.served import ServedChat

        return ServedChat(facts, _asking(facts))
    from dama.serving.vllm import OfflineChat

    folder, dtype = _model_folder(facts, context), facts.dtype
    if asks_world(context.spec) and dtype == "auto":
        dtype = "float32"  # as it was trained; half precision saves nothing at its size
    return OfflineChat(folder, context_tokens=facts.context_tokens, dtype=dtype, gpu_memory=facts.gpu_memory)


def _asking(facts: ServedFacts) -> Asking:
    from dama.serving.endpoint import Asking

    return Asking(
        f"model {facts.model}",
        HardnessError,
        where="hardness.facts.model or hardness.facts.base_url",
        again="see whether the server runs, then run the same command again: finished shards are kept",
    )


def _model_folder(facts: VllmFacts, context: StageContext) -> Path:
    if isinstance(facts.model, HubModel):
        return hub_folder(facts.model, "hardness.facts.model")
    if isinstance(facts.model, LocalModel):
        return checked_folder(facts.model, "hardness.facts.model")
    return context.inputs[WORLD] / "model"
