"""Stands in for vLLM: as much of it as dama calls, with a model that repeats what it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

opened: list[LLM] = []
"""Every engine of this process, in order."""


@dataclass
class SamplingParams:
    temperature: float
    seed: int
    max_tokens: int
    structured_outputs: Any = None
    detokenize: bool = True


@dataclass
class TokensPrompt:
    prompt_token_ids: list[int]
    multi_modal_data: dict[str, Any] | None = None


class _Architecture:
    def load_model_cls(self) -> type:
        return _Architecture


class ModelRegistry:
    models: dict[str, Any] = {"LlamaForCausalLM": _Architecture()}  # noqa: RUF012 - as vLLM has it
    registered: list[str] = []  # noqa: RUF012

    @classmethod
    def register_model(cls, architecture: str, model: type) -> None:
        cls.registered.append(architecture)


@dataclass
class _Output:
    text: str
    finish_reason: str
    token_ids: tuple[int, ...]


@dataclass
class _Answer:
    outputs: list[_Output]


@dataclass
class _Manager:
    _use_async_grammar_compilation: bool = True


@dataclass
class _Core:
    structured_output_manager: _Manager = field(default_factory=_Manager)


class _Client:
    def __init__(self) -> None:
        self.engine_core, self.running = _Core(), True

    def shutdown(self) -> None:
        self.running = False


class LLM:
    def __init__(self, model: str, **settings: Any) -> None:
        from transformers import AutoTokenizer

        if settings["max_model_len"] == 13:
            raise ValueError("no room\nfor the cache")
        self.model, self.settings, self.resets = model, settings, 0
        self.asked: list[tuple[list[int], SamplingParams]] = []
        self.pictures: list[dict[str, Any] | None] = []
        self.llm_engine = SimpleNamespace(engine_core=_Client())
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        opened.append(self)

    def get_tokenizer(self) -> Any:
        return self._tokenizer

    def generate(
        self, prompts: list[TokensPrompt], settings: list[SamplingParams] | SamplingParams, *, use_tqdm: bool
    ) -> list[_Answer]:
        answers = []
        each = [settings] * len(prompts) if isinstance(settings, SamplingParams) else settings
        for prompt, setting in zip(prompts, each, strict=True):
            if len(prompt.prompt_token_ids) > self.settings["max_model_len"]:
                raise ValueError("the prompt\nis too long")
            self.pictures.append(prompt.multi_modal_data)
            self.asked.append((prompt.prompt_token_ids, setting))
            said = prompt.prompt_token_ids[: setting.max_tokens]
            ended = "stop" if len(said) == len(prompt.prompt_token_ids) else "length"
            answers.append(_Answer([_Output(self._tokenizer.decode(said), ended, tuple(said))]))
        return answers

    def reset_prefix_cache(self) -> bool:
        self.resets += 1
        return True
