"""The DPO loss against numbers worked by hand."""

import math

import torch

from dama.loss.dpo import dpo_loss, gap


def test_gap_is_the_difference_of_log_ratios() -> None:
    g = gap(torch.tensor([-10.0]), torch.tensor([-12.0]), torch.tensor([-11.0]), torch.tensor([-11.5]))
    # chosen moved up by 1, rejected down by 0.5
    assert g.tolist() == [1.5]


def test_loss_at_no_gap_is_the_logarithm_of_two() -> None:
    assert torch.allclose(dpo_loss(torch.zeros(3), 0.1), torch.full((3,), math.log(2)))


def test_loss_by_hand() -> None:
    # −log σ(0.1·20) = log(1 + e^−2) = 0.126928...
    assert math.isclose(float(dpo_loss(torch.tensor([20.0]), 0.1)), 0.12692801104297263, rel_tol=1e-6)


def test_loss_takes_a_beta_for_each_preference() -> None:
    loss = dpo_loss(torch.tensor([10.0, 10.0]), torch.tensor([0.1, 0.2]))
    by_hand = [math.log1p(math.exp(-1.0)), math.log1p(math.exp(-2.0))]
    assert torch.allclose(loss, torch.tensor(by_hand))


def test_loss_stays_finite_for_gaps_of_a_thousand_nats() -> None:
    loss = dpo_loss(torch.tensor([-1e4, 1e4]), 0.1)
    assert torch.allclose(loss, torch.tensor([1000.0, 0.0]))


def test_gradient_in_the_gap_is_minus_beta_times_the_chance_of_the_wrong_order() -> None:
    g = torch.tensor([3.0], requires_grad=True)
    dpo_loss(g, 0.5).sum().backward()  # type: ignore[no-untyped-call]
    assert g.grad is not None
    assert math.isclose(float(g.grad), -0.5 / (1 + math.exp(1.5)), rel_tol=1e-6)
