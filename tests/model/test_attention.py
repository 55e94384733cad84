"""Who sees whom: worked by hand, the same for both implementations, and packing changes nothing."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llavas import random_llava

from dama.model.attention import block_mask, dense_mask_B1LL
from dama.model.encode import Encoded
from dama.model.layout import Layout
from dama.model.load import Loaded, load_model
from dama.model.logps import AnswerLogps
from dama.model.rows import Rows, concatenated_rows, shared_rows

Sizes = tuple[int, int, int]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_model(random_llava(tmp_path_factory.mktemp("llava")))


def _preference(sizes: Sizes, seed: int, image_token: int = 4) -> Encoded:
    """Return a preference of so many prompt, chosen and rejected tokens behind four image tokens."""
    generator = torch.Generator().manual_seed(seed)
    prompt, chosen, rejected = (torch.randint(5, 27, (size,), generator=generator) for size in sizes)
    image = torch.full((4,), image_token)
    pixels = torch.randn(1, 3, 28, 28, generator=generator)
    answers = {"chosen": chosen, "rejected": rejected}
    return Encoded(str(seed), torch.cat([image, prompt]), {"pixel_values": pixels}, answers, 0)


def _text(sizes: Sizes) -> Encoded:
    """Return a preference of exactly `sizes` tokens, without an image."""
    prompt, chosen, rejected = (torch.ones(size, dtype=torch.long) for size in sizes)
    return Encoded("x", prompt, {}, {"chosen": chosen, "rejected": rejected}, 0)


def test_the_mask_is_the_one_drawn_by_hand() -> None:
    """Two preferences in one row (prompt 2, chosen 2, rejected 1; prompt 1, chosen 1, rejected 1)."""
    rows = shared_rows([_text((2, 2, 1)), _text((1, 1, 1))], 0, budget=8)
    drawn = [
        "x.......",  # prompt
        "xx......",
        "xxx.....",  # chosen
        "xxxx....",
        "xx..x...",  # rejected: the prompt and itself
        ".....x..",  # the other preference's prompt
        ".....xx.",
        ".....x.x",
    ]
    seen = [[mark == "x" for mark in line] for line in drawn]
    assert dense_mask_B1LL(rows)[0, 0].tolist() == seen
    assert rows.positions_BL[0].tolist() == [0, 1, 2, 3, 2, 0, 1, 1]


def test_padding_sees_padding_and_is_seen_by_nobody_else() -> None:
    mask = dense_mask_B1LL(shared_rows([_text((2, 1, 1)), _text((1, 1, 1))], 0))[1, 0]
    assert mask[3].tolist() == [False, False, False, True]
    assert not mask[:3, 3].any()


sizes_of = st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 7))


@given(st.lists(sizes_of, min_size=1, max_size=5), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_both_implementations_see_the_same(sizes: list[Sizes], budget: int) -> None:
    from torch.nn.attention.flex_attention import create_mask

    rows = shared_rows([_text(each) for each in sizes], 0, budget)
    count, length = rows.ids_BL.shape
    rule = create_mask(block_mask(rows).mask_mod, count, 1, length, length, device="cpu")
    assert rule.equal(dense_mask_B1LL(rows))


@given(st.lists(sizes_of, min_size=1, max_size=6), st.integers(1, 80))
@settings(max_examples=30, deadline=None)
def test_packing_keeps_the_budget_and_loses_no_token(sizes: list[Sizes], budget: int) -> None:
    batch = [_text(each) for each in sizes]
    rows = shared_rows(batch, 0, budget)
    used = (rows.documents_BL >= 0).sum(1)
    assert int(used.sum()) == sum(each.tokens for each in batch)
    for row, count in enumerate(used.tolist()):
        alone = int(rows.documents_BL[row].max()) == 0
        assert count <= budget or alone


@pytest.mark.parametrize("budget", [None, 1, 40, 1000])
def test_packed_rows_equal_concatenated_rows(loaded: Loaded, budget: int | None) -> None:
    """Ragged lengths, 1-token answers; log-probabilities within 1e-4 nats, gradients within 1e-5."""
    sizes = [(3, 5, 2), (9, 1, 1), (1, 12, 7), (6, 2, 9), (2, 1, 14)]
    batch = [_preference(each, seed) for seed, each in enumerate(sizes)]
    module = AnswerLogps(loaded.model).train()
    weights = torch.randn(5, 2, generator=torch.Generator().manual_seed(5))
    found, gradients = {}, {}
    for name, rows in (("packed", shared_rows(batch, 0, budget)), ("usual", concatenated_rows(batch, 0))):
        module.zero_grad()
        found[name] = module(rows)
        (found[name] * weights).sum().backward()
        gradients[name] = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}
    assert torch.allclose(found["packed"], found["usual"], atol=1e-4, rtol=0)
    for name, usual in gradients["usual"].items():
        difference = torch.linalg.vector_norm(gradients["packed"][name] - usual)
        assert difference <= 1e-5 * torch.linalg.vector_norm(usual) + 1e-7, name


def test_forwards_before_a_backward_keep_to_their_own_positions(tmp_path: Path) -> None:
    """Gradient checkpointing runs a forward again in the backward, when another has come between."""
    module = AnswerLogps(load_model(random_llava(tmp_path)).model, gradient_checkpointing=True).train()
    first = shared_rows([_preference((3, 5, 2), 0), _preference((9, 1, 4), 1)], 0)
    second = shared_rows([_preference((5, 2, 6), 2), _preference((7, 4, 1), 3)], 0)

    def gradients(*between: Rows) -> dict[str, torch.Tensor]:
        module.zero_grad()
        logps = module(first)
        for rows in between:
            module(rows)
        (logps[:, 0] - logps[:, 1]).sum().backward()
        return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}

    alone, interleaved = gradients(), gradients(second)
    assert alone
    assert all(torch.equal(alone[name], gradient) for name, gradient in interleaved.items())


def test_the_model_itself_is_as_ever(tmp_path: Path) -> None:
    rows = concatenated_rows([_preference((3, 5, 2), 0)], 0)
    model = load_model(random_llava(tmp_path)).model
    inputs = {"input_ids": rows.ids_BL[:1], "pixel_values": rows.images["pixel_values"][:1]}
    with torch.no_grad():
        before = model(**inputs).logits
        AnswerLogps(model)(rows)
        AnswerLogps(model)(rows)
        assert torch.equal(model(**inputs).logits, before)


@pytest.mark.filterwarnings(
    "ignore:.torch.jit.:DeprecationWarning"
)  # torch.compile imports what it deprecates
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
def test_flex_attention_equals_dense_attention(tmp_path: Path) -> None:
    """The forward only: on a CPU FlexAttention has no backward. Eager, for a compiler may not be there."""
    batch = [_preference(sizes, seed) for seed, sizes in enumerate([(3, 5, 2), (9, 1, 1), (1, 12, 7)])]
    rows = shared_rows(batch, 0, budget=40)
    folder = random_llava(tmp_path)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        dense = AnswerLogps(load_model(folder).model)(rows)
        flex = AnswerLogps(load_model(folder).model, Layout(attention="flex"))
        assert flex.llava.config.text_config._attn_implementation == "flex_attention"
        assert flex.llava.config.vision_config._attn_implementation == "sdpa"
        assert torch.allclose(flex(rows), dense, atol=1e-4, rtol=0)


def test_an_answer_at_the_length_limit_keeps_its_log_probability(loaded: Loaded) -> None:
    from PIL import Image

    from dama.model.encode import Encoder

    answers = {"chosen": "a red star at left.", "rejected": "a blue circle."}
    picture = Image.new("RGB", (28, 28), (9, 90, 9))
    long = Encoder(loaded.processor, 64).encode("x", "what?", answers, picture)
    limit = len(long.prompt_ids_P) + max(len(ids) for ids in long.answers.values())
    at_limit = Encoder(loaded.processor, limit, "quarantine").encode("x", "what?", answers, picture)
    module = AnswerLogps(loaded.model)
    assert at_limit.cut == 0
    assert torch.equal(module(shared_rows([at_limit], 0)), module(shared_rows([long], 0)))
