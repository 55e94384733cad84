"""Speed of a training, by a clock that is turned by hand."""

import pytest
import torch

from dama.model.encode import Encoded
from dama.model.flops import useful_flops
from dama.model.shape import model_shape
from dama.train.throughput import Throughput, described, peak_bytes

CONFIG = {
    "model_type": "llava",
    "text_config": {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "vocab_size": 100,
                    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4},
    "vision_config": {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64,
                      "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28, "patch_size": 14},
}  # fmt: skip
CPU = torch.device("cpu")


def _encoded(prompt: int, chosen: int, rejected: int) -> Encoded:
    answers = {"chosen": torch.zeros(chosen), "rejected": torch.zeros(rejected)}
    return Encoded("p", torch.zeros(prompt), {}, answers, 0)


SHARE = [_encoded(20, 5, 7), _encoded(30, 2, 4)]
"""68 tokens, prompts once."""


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _throughput(clock: _Clock, **more: float) -> Throughput:
    throughput = Throughput(CONFIG, CPU, 10, clock=clock, **more)  # type: ignore[arg-type]
    throughput.begin()
    return throughput


def test_preferences_and_tokens_are_counted_once_a_second() -> None:
    clock = _Clock()
    throughput = _throughput(clock)
    clock.now += 4.0
    pace = throughput.step(1, SHARE, [True, False])
    assert (pace.preferences_per_second, pace.tokens_per_second) == (0.5, 17.0)
    assert pace.seconds_left == 9 * 4.0


def test_the_slow_first_step_is_shown_and_forgotten() -> None:
    clock = _Clock()
    throughput = _throughput(clock)
    for done, seconds in enumerate((60.0, 2.0, 1.0), start=1):
        clock.now += seconds
        pace = throughput.step(done, SHARE, [True, True])
    assert pace.preferences_per_second == 4 / 3
    assert pace.seconds_left == 7 * 1.5
    notes = throughput.notes()
    assert notes["preferences_per_second"] == 1.333
    assert notes["tokens_per_second"] == round(2 * 68 / 3, 1)


def test_a_pace_is_that_of_the_last_twenty_steps() -> None:
    clock = _Clock()
    throughput = _throughput(clock)
    for done in range(1, 30):
        clock.now += 100.0 if done < 10 else 1.0
        pace = throughput.step(done, SHARE, [True, True])
    assert pace.preferences_per_second == 2.0


def test_mfu_counts_a_backward_for_what_is_kept_only() -> None:
    clock, shape = _Clock(), model_shape(CONFIG)
    useful = useful_flops(shape, 20, [5, 7], learned=True) + useful_flops(shape, 30, [2, 4], learned=False)
    throughput = _throughput(clock, peak=1e9)
    clock.now += 2.0
    pace = throughput.step(1, SHARE, [True, False])
    assert pace.mfu == pytest.approx(useful / 2.0 / 1e9, rel=1e-12)


def test_adapters_need_half_the_backward() -> None:
    clock, shape = _Clock(), model_shape(CONFIG)
    throughput = _throughput(clock, peak=1e9, adapters=True)
    clock.now += 1.0
    pace = throughput.step(1, SHARE[:1], [True])
    wanted = useful_flops(shape, 20, [5, 7], learned=True, adapters=True)
    assert wanted < useful_flops(shape, 20, [5, 7], learned=True)
    assert pace.mfu == pytest.approx(wanted / 1e9, rel=1e-12)


@pytest.mark.parametrize("config", [CONFIG, {"model_type": "unheard-of"}], ids=["no peak", "no shape"])
def test_what_is_not_known_is_a_dash(config: dict[str, object]) -> None:
    clock = _Clock()
    throughput = Throughput(config, CPU, 10, peak=None if config is CONFIG else 1e12, clock=clock)
    throughput.begin()
    clock.now += 2.0
    pace = throughput.step(1, SHARE, [True, True])
    assert pace.mfu is None
    assert "mfu" not in pace.numbers()
    line = described({**pace.numbers(), "loss": 0.6931, "reward_margin": 0.25})
    assert line == "loss 0.693, margin 0.25, 1 preferences/s, 34 tokens/s, MFU -, 0:00:18 left"


def test_a_line_says_how_it_goes() -> None:
    numbers = {
        "preferences_per_second": 3.4567,
        "tokens_per_second": 2143.2,
        "mfu": 0.412,
        "seconds_left": 3661.2,
    }
    line = described({**numbers, "loss": 0.5, "reward_margin": -0.125})
    assert line == "loss 0.500, margin -0.12, 3.46 preferences/s, 2,143 tokens/s, MFU 41%, 1:01:01 left"


def test_memory_is_what_the_process_has_held() -> None:
    before = peak_bytes(CPU)
    ballast = torch.ones(64 * 2**20)
    assert peak_bytes(CPU) >= min(before + 1, ballast.nbytes)
    assert Throughput(CONFIG, CPU, 1).notes() == {"memory_gib": 0.0}
