"""Weights, gradients and optimizer state of a rank: LLaVA-7B by hand, and the small model's own rules."""

from __future__ import annotations

import pytest
from runs import case

from dama.plan.case import adapter_parameters
from dama.plan.sizes import shape_of
from dama.plan.state import state
from dama.spec.lora import LoraSpec
from dama.spec.model import HubModel

ALL, TRAINED = 7_063_427_072, 6_759_919_616


@pytest.mark.parametrize(
    ("stage", "weights", "gradients", "optimizer"),
    [
        (0, 2 * ALL, 2 * TRAINED, 12 * TRAINED),
        (1, 2 * ALL, 2 * TRAINED // 4, 12 * TRAINED // 4),
        (2, 2 * ALL, 2 * TRAINED // 4, 12 * TRAINED // 4),
        (3, 2 * ALL // 4, 2 * TRAINED // 4, 12 * TRAINED // 4),
    ],
)
def test_bfloat16_on_four_ranks(stage: int, weights: int, gradients: int, optimizer: int) -> None:
    found = state(case("llava-7b", f"train.zero.stage={stage}"))
    assert (found.weights, found.gradients, found.optimizer) == (weights, gradients, optimizer)
    assert found.host == 0


def test_float32_without_zero_needs_no_master_weights() -> None:
    found = state(case("llava-7b", "train.dtype=float32", "train.zero.stage=0"))
    assert (found.weights, found.gradients, found.optimizer) == (4 * ALL, 4 * TRAINED, 8 * TRAINED)
    with_zero = state(case("llava-7b", "train.dtype=float32", "train.zero.stage=1"))
    assert with_zero.optimizer == 12 * TRAINED // 4


def test_offloading_moves_the_optimizer_to_pinned_blocks_of_the_host() -> None:
    found = state(case("llava-7b", "train.zero.offload=true"))
    assert (found.optimizer, found.gradients) == (0, 0)
    share = TRAINED // 4
    # master weights and float32 gradients take 6.3 GiB each, 8 GiB in a block; 16-bit gradients 3.1, 4
    assert found.host == 8 * share + 2 * 2**33 + 2**32


def test_offloading_in_stage_2_keeps_gradients_on_the_device() -> None:
    found = state(case("llava-7b", "train.zero.offload=true", "train.zero.stage=2"))
    assert found.gradients == 2 * TRAINED // 4
    assert found.host > 0


def test_adapters_are_all_that_is_trained_beside_the_projector() -> None:
    shape = shape_of(HubModel(id="llava-hf/llava-1.5-7b-hf"))
    # a layer: four matrices 4096 to 4096 and three between 4096 and 11008; 32 layers, rank 64
    each = 64 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert adapter_parameters(shape, LoraSpec()) == 32 * each == 159_907_840
    assert adapter_parameters(shape, LoraSpec(rank=8, targets=("q_proj", "v_proj"))) == 32 * 8 * 2 * 8192
    lora = case("llava-7b", "train.lora={}")
    assert lora.trained == 159_907_840 + 20_979_712
    assert lora.parameters == ALL + 159_907_840
    frozen = case(
        "llava-7b", "train.lora.projector=frozen", "train.lora.rank=8", "train.lora.targets=[q_proj]"
    )
    assert frozen.trained == 32 * 8 * 8192
