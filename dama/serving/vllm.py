"""vLLM's offline engine: conversations answered in one batch, in this process, the same way every time.

The engine's core runs in this process, not in one of its own. So requests meet in the same batches at every
run (between processes they arrive as they come), its memory is given back when it is closed, and torchvision
beside CPU torch is mended for it as for everybody else.
"""

from __future__ import annotations

import gc
import json
import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dama.errors import ModelError, ToolMissing
from dama.serving.chat import Messages, Said
from dama.torchvision_cpu import declare_missing_operators

Dtype = Literal["auto", "bfloat16", "float16", "float32"]
_SEED = 0
_AT_A_TIME = 256
_VISION_TOKENS = 8192
"""An image, its question and an answer; room for more would be memory that nobody uses."""


class _Offline:
    """A model folder in Hugging Face layout behind an engine that is opened when it is first needed."""

    part: str
    """The part of the run file that says how it is asked, for what errors say."""

    def __init__(
        self, folder: Path, *, context_tokens: int, dtype: Dtype = "auto", gpu_memory: float = 0.9
    ) -> None:
        """Load nothing yet.

        `context_tokens` are question and reply together; `gpu_memory` is the share of a GPU's memory that
        is taken while the engine is open.
        """
        self._folder, self._dtype, self._gpu_memory = folder, dtype, gpu_memory
        self._context = min(context_tokens, _positions(folder))
        self._llm: Any = None

    def close(self) -> None:
        """Give the engine's memory back, as happens too when nobody holds this object any more."""
        if self._llm is not None:
            self._llm = None
            self._shut_down()

    def _more(self) -> dict[str, Any]:
        """Return settings of the engine beyond those that every model has."""
        return {}

    def _open(self) -> Any:  # noqa: ANN401 - vllm.LLM, whose package is not typed for us
        if self._llm is not None:
            return self._llm
        declare_missing_operators()
        import torch

        settings: dict[str, Any] = {"gpu_memory_utilization": self._gpu_memory}
        if not torch.cuda.is_available():
            settings = {"enforce_eager": True}
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB; by itself it takes half the machine
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # it would tell its makers what it runs on
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        try:
            from vllm import LLM, ModelRegistry
        except ImportError as error:
            raise ToolMissing(
                f"vllm cannot be imported ({error})",
                do=f"pip install vllm, or choose another {self.part}.engine",
            ) from error
        for architecture in _config(self._folder).get("architectures") or []:
            if architecture in ModelRegistry.models:
                # Looked at here, vLLM need not start a process that looks at it, one without the operators.
                found = ModelRegistry.models[architecture].load_model_cls()
                ModelRegistry.register_model(architecture, found)
        try:
            llm = LLM(
                str(self._folder),
                dtype=self._dtype,
                max_model_len=self._context,
                max_num_seqs=_AT_A_TIME,
                seed=_SEED,
                load_format="safetensors",
                trust_remote_code=False,
                use_tqdm_on_load=False,
                structured_outputs_config={"backend": "xgrammar", "disable_any_whitespace": True},
                **settings,
                **self._more(),
            )
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            raise ModelError(
                f"vLLM cannot open {self._folder}: {_first_line(error)}",
                do=f"look at {self.part}: another model, fewer tokens, or more memory",
            ) from error
        # Grammars are made by threads, and a request joins the batch when its own is there; at once instead,
        # so that batches do not depend on threads.
        llm.llm_engine.engine_core.engine_core.structured_output_manager._use_async_grammar_compilation = (
            False
        )
        self._llm = llm
        self._shut_down = weakref.finalize(self, _shut_down, llm)
        self._shut_down.atexit = False  # the end of the process does the same
        return llm


class OfflineChat(_Offline):
    """A language model, asked greedily (`dama.serving.chat.Chat`)."""

    part = "hardness.facts"

    def ask(
        self, conversations: Sequence[Messages], *, reply_tokens: int, schema: Mapping[str, Any] | None = None
    ) -> list[Said]:
        """Return one reply a conversation, in order; those that leave no room for a reply are refused.

        What was asked before makes no difference: nothing is kept from one call to the next.
        """
        llm = self._open()
        from vllm import SamplingParams, TokensPrompt
        from vllm.sampling_params import StructuredOutputsParams

        prompts = [self._tokens(messages) for messages in conversations]
        fitting = [number for number, prompt in enumerate(prompts) if len(prompt) < self._context]
        settings = [
            SamplingParams(
                temperature=0.0,
                seed=_SEED,
                max_tokens=min(reply_tokens, self._context - len(prompts[number])),
                structured_outputs=None if schema is None else StructuredOutputsParams(json=dict(schema)),
            )
            for number in fitting
        ]
        replies = [Said("", "refused")] * len(prompts)
        if fitting:
            asked = [TokensPrompt(prompt_token_ids=prompts[number]) for number in fitting]
            answers = llm.generate(asked, settings, use_tqdm=False)
            llm.reset_prefix_cache()
            for number, answer in zip(fitting, answers, strict=True):
                reply = answer.outputs[0]
                replies[number] = Said(reply.text, "stop" if reply.finish_reason == "stop" else "length")
        return replies

    def _tokens(self, messages: Messages) -> list[int]:
        """Return a conversation as the model's chat template writes it; ModelError where it has none."""
        tokenizer = self._llm.get_tokenizer()
        if not getattr(tokenizer, "chat_template", None):
            raise ModelError(
                f"the tokenizer in {self._folder} has no chat template",
                wanted="a model that was taught to follow instructions",
                do=f"choose another model for {self.part}",
            )
        from jinja2 import TemplateError

        settings = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
        asked = [dict(message) for message in messages]
        try:
            return list(tokenizer.apply_chat_template(asked, **settings))
        except TemplateError:  # some models were taught no system message; they get it before the first words
            system, first, *rest = asked
            first = {**first, "content": f"{system['content']}\n\n{first['content']}"}
            return list(tokenizer.apply_chat_template([first, *rest], **settings))


class OfflineVision(_Offline):
    """A vision-language model's folder that goes on from prompts with one image each."""

    part = "evaluate"

    def __init__(
        self, folder: Path, *, dtype: Dtype = "auto", gpu_memory: float = 0.9, tensor_parallel: int = 1
    ) -> None:
        """Load nothing yet; `tensor_parallel` is the number of GPUs that the model is spread over."""
        super().__init__(folder, context_tokens=_VISION_TOKENS, dtype=dtype, gpu_memory=gpu_memory)
        self._parallel = tensor_parallel

    def go_on(
        self,
        prompts: Sequence[Sequence[int]],
        images: Sequence[Any],
        *,
        new_tokens: int,
    ) -> list[list[int]]:
        """Return the greedy tokens behind each prompt, in order; the end-of-text token may be the last.

        A prompt is the tokens of the model's own template, with the one token that stands for its image (RGB,
        of PIL). Nothing is kept from one call to the next. ModelError for a prompt that the model cannot
        read.
        """
        llm = self._open()
        from vllm import SamplingParams, TokensPrompt

        asked = [
            TokensPrompt(prompt_token_ids=list(prompt), multi_modal_data={"image": image})
            for prompt, image in zip(prompts, images, strict=True)
        ]
        settings = SamplingParams(temperature=0.0, seed=_SEED, max_tokens=new_tokens, detokenize=False)
        try:
            answers = llm.generate(asked, settings, use_tqdm=False)
        except ValueError as error:
            raise ModelError(
                f"vLLM cannot go on from a prompt: {_first_line(error)}",
                do="lower evaluate.max_new_tokens, or choose evaluate.engine 'transformers'",
            ) from error
        llm.reset_prefix_cache()
        return [list(answer.outputs[0].token_ids) for answer in answers]

    def _more(self) -> dict[str, Any]:
        return {"limit_mm_per_prompt": {"image": 1}, "tensor_parallel_size": self._parallel}


def _shut_down(llm: Any) -> None:  # noqa: ANN401 - vllm.LLM
    """End an engine; what it held of the GPU's memory is free afterwards."""
    import torch
    from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

    llm.llm_engine.engine_core.shutdown()
    del llm
    cleanup_dist_env_and_memory()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text("utf-8"))
        if not isinstance(found, dict):
            raise TypeError("no object")
        return found
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{folder} holds no config.json that can be read ({type(error).__name__})",
            wanted="a language model's folder in Hugging Face layout",
        ) from error


def _positions(folder: Path) -> int:
    """Return how many tokens the model reads at most."""
    config = _config(folder)
    text = config.get("text_config") or {}
    found = config.get("max_position_embeddings") or text.get("max_position_embeddings")
    return found if isinstance(found, int) and found > 0 else 2**31 - 1


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
