"""The worst moment of a rank: presets fit as the paper ran them, and every setting does what it is for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from runs import case

from dama.plan import activations
from dama.plan import memory as module
from dama.plan.device import GIB, GPUS
from dama.plan.memory import memory

A100 = GPUS["a100-80"].memory


@pytest.mark.parametrize("model", ["llava-7b", "llava-13b"])
@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("method", ["dpo", "dama"])
def test_the_presets_fit_on_four_gpus_of_80_gb(model: str, gpu: object, method: str) -> None:
    capacity = gpu.memory  # type: ignore[attr-defined]
    assert memory(case(model, method=method), capacity).total <= capacity


def test_llava_7b_without_zero_is_what_everybody_knows_does_not_fit() -> None:
    found = memory(case("llava-7b", "train.zero.stage=0"), A100)
    # 2 + 2 + 12 bytes a weight are 104 GiB before anything is computed
    assert found.total > 104 * GIB > A100
    assert found.moment == "step"


def test_the_parts_make_the_sum_and_stand_in_order() -> None:
    found = memory(case("llava-7b"), A100)
    assert found.total == sum(found.parts.values())
    assert list(found.parts) == [part for part in module.PARTS if part in found.parts]
    assert all(size > 0 for size in found.parts.values())


def test_what_saves_memory_saves_memory() -> None:
    base = case("llava-7b", "train.passes=one", "train.gradient_checkpointing=false", method="dpo")
    whole = memory(base, A100).total
    for change in (
        replace(base, recompute=True),
        replace(base, per_device=1, accumulation=4),
        replace(base, offload=True),
        replace(base, longest=50),
        replace(base, ranks=8, batch=32),
    ):
        assert memory(change, A100).total < whole


def test_each_zero_stage_needs_less_than_the_one_below() -> None:
    sizes = [memory(case("llava-13b", f"train.zero.stage={stage}"), A100).total for stage in (0, 1, 3)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 80 * GIB < sizes[1]


def test_adapters_need_little_more_than_weights() -> None:
    lora = memory(case("llava-7b", "train.lora={}", method="dpo"), A100)
    assert lora.total < memory(case("llava-7b", method="dpo"), A100).total / 2


def test_loading_counts_where_every_gpu_gets_the_whole_model() -> None:
    sizes = {
        stage: module._loading(case("llava-7b", f"train.zero.stage={stage}"), cuda=True) for stage in (2, 3)
    }
    assert sizes[2]["weights"] == 4 * sizes[3]["weights"]
    # stage 2: a flat copy of what is trained, and a quarter of the float32 copy
    assert sizes[2]["loading copies"] == 2 * 6_759_919_616 + 6_759_919_616


def test_activations_of_a_7b_by_hand() -> None:
    # 1040 tokens; a layer keeps of each 2·(4+2·2)·4096 for norms, 5·2·4096 and 4·2·11008, and its row of mask
    long = case("llava-7b")
    assert activations.row_tokens(long) == 640 + 2 * 200
    each = 16 * 4096 + 10 * 4096 + 8 * 11008 + 2 * 1040
    assert activations.layer_saved(long, 1) == 1040 * each
    recomputed = activations.saved(long, 1, recompute=True)
    assert 32 * 2 * 4096 * 1040 < recomputed < 1.25 * 32 * 2 * 4096 * 1040


def test_logits_are_chunked_where_they_would_be_too_many() -> None:
    few, many = case("llava-7b"), replace(case("llava-7b"), longest=2000)
    assert activations.logits_kept(few, 4) == 4 * 32064 * 2 * 200 * 4
    assert activations.logits_kept(many, 4) == 0
    assert activations.logits_working(many, 4) == 4.5 * 256 * 2**20


def test_the_numbers_taken_from_elsewhere_are_still_those() -> None:
    from dama.torchvision_cpu import declare_missing_operators

    declare_missing_operators()
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    zero = DeepSpeedZeroConfig(stage=3)
    assert zero.reduce_bucket_size == module.BUCKET
    assert zero.max_live_parameters == module.LIVE
    assert zero.prefetch_bucket_size == module.AHEAD
    assert zero.sub_group_size == module.SUB_GROUP
