"""What is asked of vLLM's offline engine, on a stand-in for vLLM; tests/real_vllm asks the real one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import write_bytes_tokenizer, write_llama_config

from dama.errors import ModelError
from dama.serving.chat import Said
from dama.serving.vllm import OfflineChat, OfflineVision

PACKAGES = Path(__file__).parent / "packages"
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}<|user|>{{ message['content'] }}</s>{% endfor %}<|assistant|>"
)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, importable as vllm."""
    monkeypatch.syspath_prepend(PACKAGES)
    import vllm as standin

    yield standin
    for name in [name for name in sys.modules if name.split(".")[0] == "vllm"]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_llama_config(tmp_path)
    write_bytes_tokenizer(tmp_path)
    return tmp_path


def talk(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_a_conversation_is_asked_as_the_models_template_writes_it(vllm: Any, folder: Path) -> None:
    chat = OfflineChat(folder, context_tokens=40)
    (said,) = chat.ask([talk("Äpfel")], reply_tokens=30)
    assert said == Said("<|user|>Äpfel</s><|assistant|>")
    assert len(vllm.opened[0].asked[0][0]) == 3 + len("Äpfel".encode())


def test_replies_are_greedy_and_forced_into_the_schema(vllm: Any, folder: Path) -> None:
    schema = {"type": "array"}
    chat = OfflineChat(folder, context_tokens=40)
    chat.ask([talk("a")], reply_tokens=30, schema=schema)
    chat.ask([talk("a")], reply_tokens=30)
    first, second = (settings for _, settings in vllm.opened[0].asked)
    assert (first.temperature, first.seed, first.max_tokens) == (0.0, 0, 30)
    assert first.structured_outputs.json == schema
    assert second.structured_outputs is None
    assert len(vllm.opened) == 1
    assert vllm.opened[0].resets == 2, "nothing is kept from one call to the next"


def test_what_leaves_no_room_for_a_reply_is_refused_and_the_rest_gets_what_room_there_is(
    vllm: Any, folder: Path
) -> None:
    chat = OfflineChat(folder, context_tokens=40)
    long, full, near = (talk("x" * length) for length in (99, 37, 36))
    found = chat.ask([long, talk("a"), full, near], reply_tokens=30)
    assert [said.ended for said in found] == ["refused", "stop", "refused", "length"]
    assert [settings.max_tokens for _, settings in vllm.opened[0].asked] == [30, 1]
    assert chat.ask([long], reply_tokens=30) == [Said("", "refused")]


def test_the_context_is_at_most_what_the_model_reads(vllm: Any, folder: Path) -> None:
    OfflineChat(folder, context_tokens=9999).ask([talk("a")], reply_tokens=5)
    write_llama_config(folder, max_position_embeddings=None, text_config={"max_position_embeddings": 50})
    OfflineChat(folder, context_tokens=9999).ask([talk("a")], reply_tokens=5)
    OfflineChat(folder, context_tokens=30).ask([talk("a")], reply_tokens=5)
    assert [llm.settings["max_model_len"] for llm in vllm.opened] == [64, 50, 30]


def test_weights_are_safetensors_and_no_code_of_the_model_runs(vllm: Any, folder: Path) -> None:
    OfflineChat(folder, context_tokens=40, dtype="float16").ask([talk("a")], reply_tokens=5)
    settings = vllm.opened[0].settings
    assert (settings["load_format"], settings["trust_remote_code"]) == ("safetensors", False)
    assert (settings["dtype"], settings["seed"]) == ("float16", 0)
    core = vllm.opened[0].llm_engine.engine_core.engine_core
    assert core.structured_output_manager._use_async_grammar_compilation is False


def test_closed_it_gives_everything_back_and_opens_again(vllm: Any, folder: Path) -> None:
    from vllm.distributed.parallel_state import cleaned

    chat = OfflineChat(folder, context_tokens=40)
    chat.close()
    chat.ask([talk("a")], reply_tokens=5)
    chat.close()
    chat.close()
    assert not vllm.opened[0].llm_engine.engine_core.running
    assert cleaned == [True]
    chat.ask([talk("a")], reply_tokens=5)
    assert len(vllm.opened) == 2


def test_a_model_that_knows_no_system_message_gets_it_before_the_first_words(vllm: Any, folder: Path) -> None:
    write_bytes_tokenizer(folder, NO_SYSTEM)
    messages = [{"role": "system", "content": "Split."}, *talk("A dog.")]
    (said,) = OfflineChat(folder, context_tokens=64).ask([messages], reply_tokens=60)
    assert said.text == "<|user|>Split.\n\nA dog.</s><|assistant|>"


def test_a_model_without_a_chat_template_is_told(vllm: Any, folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    write_bytes_tokenizer(folder, None)
    with pytest.raises(ModelError, match="has no chat template; wanted a model that was taught to follow"):
        OfflineChat(folder, context_tokens=40).ask([talk("a")], reply_tokens=5)


def test_what_vllm_cannot_open_is_one_line(vllm: Any, folder: Path) -> None:
    with pytest.raises(ModelError, match=r"vLLM cannot open .*: no room for the cache; to mend"):
        OfflineChat(folder, context_tokens=13).ask([talk("a")], reply_tokens=5)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_folder_without_a_config_is_told_before_anything_is_loaded(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"holds no config\.json that can be read"):
        OfflineChat(tmp_path, context_tokens=40)


def test_prompts_with_pictures_are_gone_on_from_greedily(vllm: Any, folder: Path) -> None:
    engine = OfflineVision(folder, dtype="float32", gpu_memory=0.5, tensor_parallel=2)
    said = engine.go_on([[5, 6, 7], [8]], ["a picture", "another"], new_tokens=2)
    assert said == [[5, 6], [8]]
    (llm,) = vllm.opened
    assert llm.pictures == [{"image": "a picture"}, {"image": "another"}]
    settings = llm.asked[0][1]
    assert (settings.temperature, settings.max_tokens, settings.detokenize) == (0.0, 2, False)
    assert llm.settings["limit_mm_per_prompt"] == {"image": 1}
    assert llm.settings["tensor_parallel_size"] == 2
    assert llm.settings["max_model_len"] == 64
    assert llm.resets == 1, "nothing is kept from one call to the next"


def test_a_prompt_that_the_model_cannot_read_is_one_line(vllm: Any, folder: Path) -> None:
    engine = OfflineVision(folder)
    with pytest.raises(ModelError, match=r"cannot go on from a prompt: the prompt is too long; to mend"):
        engine.go_on([list(range(3, 99))], ["a picture"], new_tokens=2)
