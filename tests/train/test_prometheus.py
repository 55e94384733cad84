"""Prometheus finds the last step's numbers at the port that the environment names."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dama.errors import TrainingError
from dama.manifests import monitor
from dama.storage.local import LocalStore
from dama.train.loggers import Loggers
from dama.train.prometheus import METRICS_PORT, Prometheus, port_of
from dama.train.tensorboard import EventFiles


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def served(port: int) -> Iterator[Prometheus]:
    callback = Prometheus(port, "my-run")
    callback.on_train_begin(None, None, None)
    yield callback
    callback.close()
    callback.close()


def _read(port: int) -> dict[tuple[str, str], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, sample.labels["run"]): sample.value for sample in samples}


def test_the_last_steps_numbers_are_there(served: Prometheus, port: int) -> None:
    assert _read(port) == {}
    for step, loss in ((1, 0.7), (2, 0.5)):
        logs = {"loss": loss, "reward_chosen": -step, "note": "no number"}
        served.on_log(None, SimpleNamespace(global_step=step), None, logs)
    assert _read(port) == {
        ("dama_train_loss", "my-run"): 0.5,
        ("dama_train_reward_chosen", "my-run"): -2.0,
        ("dama_train_step", "my-run"): 2.0,
    }


def test_a_training_serves_while_it_has_its_loggers(port: int, tmp_path: Path) -> None:
    events = EventFiles(LocalStore(tmp_path), "runs/r/tensorboard", tmp_path)
    with Loggers((), "r", "0" * 64, {}, events, metrics_port=port).callbacks() as callbacks:
        (callback,) = callbacks
        callback.on_train_begin(None, None, None)
        callback.on_log(None, SimpleNamespace(global_step=3), None, {"loss": 0.25})
        assert _read(port)["dama_train_loss", "r"] == 0.25
    with pytest.raises(urllib.error.URLError):
        _read(port)


def test_a_closed_port_is_free_again(port: int) -> None:
    for _ in range(2):
        callback = Prometheus(port, "run")
        callback.on_train_begin(None, None, None)
        callback.close()


def test_a_port_that_is_taken_is_told(served: Prometheus, port: int) -> None:
    with pytest.raises(TrainingError, match=rf"port {port} cannot be served on.*{METRICS_PORT}"):
        Prometheus(port, "other").on_train_begin(None, None, None)


def test_manifests_say_the_port_by_the_same_name() -> None:
    assert monitor.METRICS_PORT == METRICS_PORT


def test_the_environment_names_the_port_or_none() -> None:
    assert port_of({}) is None
    assert port_of({METRICS_PORT: ""}) is None
    assert port_of({METRICS_PORT: "9464"}) == 9464


@pytest.mark.parametrize("text", ["-1", "0", "65536", "http"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match=f"{METRICS_PORT} is '{text}'; wanted a TCP port"):
        port_of({METRICS_PORT: text})
