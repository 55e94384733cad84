"""The tiny splitter: its tokens, its template, its learning, and the folder it is kept in."""

from __future__ import annotations

import json
import warnings
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dama.demo.lessons import Lesson, lessons
from dama.demo.splitter_tokens import asked_tokens, reply_tokens, splitter_tokenizer, talk
from dama.demo.splitting import last_loss, reply_loss, train_splitter, written
from dama.demo.tiny_splitter import POSITIONS, new_splitter, save_splitter
from dama.errors import TrainingError

SEEN = list(islice(lessons(0), 500))
TOKENIZER = splitter_tokenizer(SEEN)
TWO = Lesson("A big red star. A cow.", ("A big red star.", "A cow."))


def pieces(ids: list[int]) -> list[str]:
    return [TOKENIZER.decode([id]) for id in ids]


@given(st.text(max_size=60))
def test_any_text_is_written_and_read_back(text: str) -> None:
    for written_text in (text, json.dumps([text, text], ensure_ascii=False, separators=(",", ":"))):
        ids = TOKENIZER(written_text, add_special_tokens=False).input_ids
        if not {TOKENIZER.pad_token_id, TOKENIZER.bos_token_id, TOKENIZER.eos_token_id} & set(ids):
            assert TOKENIZER.decode(ids) == written_text.encode(errors="replace").decode()


def test_a_sentence_is_the_same_pieces_in_a_response_and_in_a_reply() -> None:
    for lesson in SEEN:
        asked = asked_tokens(TOKENIZER, lesson)
        first, *between, last, end = reply_tokens(TOKENIZER, lesson)
        assert (pieces([first]), pieces([last]), end) == (['["'], ['"]'], TOKENIZER.eos_token_id)
        comma, space = (TOKENIZER(text, add_special_tokens=False).input_ids for text in ('","', " "))
        assert len(comma) == len(space) == 1
        copied = [space[0] if token == comma[0] else token for token in between]
        response = TOKENIZER(lesson.response, add_special_tokens=False).input_ids
        assert copied == response
        places = (asked[start : start + len(response)] for start in range(len(asked)))
        assert response in places, "the same pieces stand in what is asked"


def test_the_template_leaves_the_instruction_out_and_closes_a_reply() -> None:
    text = TOKENIZER.apply_chat_template(talk(TWO), add_generation_prompt=True, tokenize=False)
    assert text == ("<s>Question:\nDescribe the image.\n\nResponse:\nA big red star. A cow.\n\nFacts:\n")
    said = [*talk(TWO), {"role": "assistant", "content": '["A cow."]'}]
    assert TOKENIZER.apply_chat_template(said, tokenize=False) == f'{text}["A cow."]</s>'


def test_what_is_asked_and_replied_fits_many_times_over() -> None:
    assert max(sum(map(len, written(TOKENIZER, lesson))) for lesson in SEEN) < POSITIONS / 4


def test_only_replies_are_learned() -> None:
    model = new_splitter(TOKENIZER, 0)
    rows = [written(TOKENIZER, lesson) for lesson in (TWO, SEEN[0], SEEN[1])]
    each = [reply_loss(model, [row], pad=0).item() * len(row[1]) for row in rows]
    together = reply_loss(model, rows, pad=0).item() * sum(len(reply) for _, reply in rows)
    assert together == pytest.approx(sum(each), rel=1e-4)
    asked, reply = rows[0]
    with torch.no_grad():
        logits = model(torch.tensor([asked + reply])).logits[0].double().log_softmax(-1)
    by_hand = -sum(logits[len(asked) - 1 + i, token].item() for i, token in enumerate(reply))
    assert each[0] == pytest.approx(by_hand, rel=1e-4)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder with a model of few steps, and its last loss."""
    model, tokenizer, loss = train_splitter(steps=25, seed=0, advance=lambda steps: None)
    folder = tmp_path_factory.mktemp("splitter") / "model"
    save_splitter(model, tokenizer, folder)
    return folder, loss


def test_a_few_steps_lower_the_loss_of_lessons_never_seen(learned: tuple[Path, float]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, last = learned
    tokenizer = AutoTokenizer.from_pretrained(folder)
    unseen = [written(tokenizer, lesson) for lesson in islice(lessons(99), 64)]
    with torch.no_grad():
        before = reply_loss(new_splitter(tokenizer, 0), unseen, pad=tokenizer.pad_token_id).item()
        model = AutoModelForCausalLM.from_pretrained(folder)
        after = reply_loss(model, unseen, pad=tokenizer.pad_token_id).item()
    assert after < before / 2
    assert after == pytest.approx(last, rel=0.5)


def test_the_folder_loads_without_a_warning_and_holds_no_pickle(learned: tuple[Path, float]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    folder, _ = learned
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoModelForCausalLM.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    assert isinstance(model, LlamaForCausalLM)
    assert model.dtype == torch.float32
    assert model.config.head_dim >= 32, "vLLM's smallest"
    assert sorted(path.name for path in folder.iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    for found in (model.config, model.generation_config, tokenizer):
        ids = (found.pad_token_id, found.bos_token_id, found.eos_token_id)
        assert ids == (0, 1, 2)
    assert asked_tokens(tokenizer, SEEN[0])[0] == 1


def test_the_loss_is_that_of_the_last_tenth_and_one_that_is_no_number_is_told() -> None:
    assert last_loss([9.0] * 18 + [1.0, 2.0]) == 1.5
    assert last_loss([3.0, 1.0]) == 1.0
    with pytest.raises(TrainingError, match="the tiny splitter's loss is nan after 3 steps"):
        last_loss([1.0, 1.0, float("nan")])
