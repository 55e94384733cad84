"""The metrics of a step, worked by hand."""

import pytest
import torch

from dama.loss.dama import Decision, Method, RunningMean
from dama.train.quartiles import NAMES, Quartiles
from dama.train.record import step_record


def test_quarters_are_those_of_the_dataset() -> None:
    """0..8: the quarters end at 2, 4 and 6, and a border belongs to the harder side."""
    assert Quartiles.of([float(n) for n in range(9)]).borders_3.tolist() == [2.0, 4.0, 6.0]


def test_each_quarter_has_its_mean_gap() -> None:
    quartiles = Quartiles.of([float(n) for n in range(9)])
    gaps = quartiles.gaps(torch.tensor([1.0, 3.0, -5.0, 7.0, 9.0]), torch.tensor([0.0, 2.0, 2.5, 6.5, 8.0]))
    assert gaps == dict(zip(NAMES, [2.0, -5.0, None, 8.0], strict=True))


def test_order_of_the_batch_has_no_say() -> None:
    quartiles = Quartiles.of([0.6, 0.9, 1.1, 1.4])
    random = torch.Generator().manual_seed(0)
    gap_N = torch.randn(64, dtype=torch.float64, generator=random)
    alpha_N = torch.rand(64, dtype=torch.float64, generator=random) + 0.5
    order = torch.randperm(64, generator=random)
    ours, theirs = quartiles.gaps(gap_N, alpha_N), quartiles.gaps(gap_N[order], alpha_N[order])
    for name in NAMES:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-12)


def test_equal_hardness_is_all_one_quarter() -> None:
    gaps = Quartiles.of([1.0] * 8).gaps(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0]))
    assert list(gaps.values()) == [1.5, None, None, None]


def _record(method: Method, quartiles: Quartiles | None) -> dict[str, object]:
    """Four preferences; gaps 2, 4, -2, 0; log-ratios of chosen 1, 2, -1, 0 and of rejected -1, -2, 1, 0."""
    gap_N = torch.tensor([2.0, 4.0, -2.0, 0.0], dtype=torch.float64)
    alpha_N = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    cut_N = torch.tensor([0.0, 3.0, 0.0, 4.0], dtype=torch.float64)
    whole = torch.stack([gap_N, gap_N / 2, -gap_N / 2, alpha_N, cut_N], dim=1)
    kept_N = torch.tensor([True, False, True, True])
    beta_N = method.beta * alpha_N * 1.25
    decision = Decision(kept_N, beta_N, 1.25, 0.3, RunningMean(0.5))
    return step_record(decision, whole, method, RunningMean(0.2), 0.7, quartiles)


def test_a_step_by_hand() -> None:
    record = _record(Method(beta=0.1), Quartiles.of([0.5, 1.0, 1.5, 2.0]))
    assert record == pytest.approx(
        {
            "loss": 0.7,
            "reward_chosen": 0.05,
            "reward_rejected": -0.05,
            "reward_margin": 0.1,
            "accuracy": 0.5,
            "kept": 3,
            "kept_fraction": 0.75,
            "batch": 4,
            "cut_tokens": 7,
            "alpha_data_mean": 1.25,
            "alpha_model": 1.25,
            "running_mean": 0.2,
            "batch_mean": 0.3,
            "beta_model": 0.125,
            "beta_combined_min": 0.0625,
            "beta_combined_mean": 0.15625,
            "beta_combined_max": 0.25,
            "gap_hardest_quarter": 2.0,
            "gap_hard_quarter": 4.0,
            "gap_easy_quarter": -2.0,
            "gap_easiest_quarter": 0.0,
        }
    )


def test_what_a_method_does_not_have_is_none() -> None:
    record = _record(Method(data_aware=False, model_aware=False), None)
    absent = {name for name, value in record.items() if value is None}
    assert absent == {"alpha_data_mean", "alpha_model", "running_mean", "batch_mean", "beta_model", *NAMES}
