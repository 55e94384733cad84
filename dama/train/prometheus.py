"""A training's numbers for Prometheus, served while it runs: what a PodMonitor scrapes.

The environment names the port and not `train` in the run file: who looks on is no part of what is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from dama.errors import ToolMissing, TrainingError

METRICS_PORT = "DAMA_METRICS_PORT"
"""The variable that names the port."""


def port_of(environ: Mapping[str, str]) -> int | None:
    """Return the port to serve on, None when the environment names none; TrainingError when it is no port."""
    text = environ.get(METRICS_PORT, "")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise TrainingError(
            f"{METRICS_PORT} is '{text}'", wanted="a TCP port", do=f"mend or unset {METRICS_PORT}"
        )
    return int(text)


class Prometheus(TrainerCallback):
    """Serves every number of the last step as a gauge `dama_train_<name>`, labelled with the run's name."""

    def __init__(self, port: int, run: str) -> None:
        self._port, self._run = port, run
        self._gauges: dict[str, Any] = {}
        self._registry: Any = None
        self._server: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401 - transformers' signature
        """Open the port."""
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError as error:
            raise ToolMissing(
                f"{METRICS_PORT} is set, and the package prometheus_client is not installed",
                do=f"pip install prometheus-client, or unset {METRICS_PORT}",
            ) from error
        self._registry = CollectorRegistry()
        try:
            self._server, _ = start_http_server(self._port, registry=self._registry)
        except OSError as error:
            raise TrainingError(
                f"port {self._port} cannot be served on ({error.strerror})",
                do=f"set {METRICS_PORT} to a free one",
            ) from error

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:  # noqa: ANN401
        """Show a step's numbers in place of those of the one before."""
        from prometheus_client import Gauge

        for name, value in {**(logs or {}), "step": state.global_step}.items():
            if not isinstance(value, int | float):
                continue
            if name not in self._gauges:
                self._gauges[name] = Gauge(
                    f"dama_train_{name}", f"{name} of the last step", ["run"], registry=self._registry
                )
            self._gauges[name].labels(self._run).set(value)

    def close(self) -> None:
        """Close the port; once is enough."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
