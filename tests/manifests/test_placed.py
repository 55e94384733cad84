"""What a cluster cannot have of a run file is refused before anything is rendered, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from rendered import rendered
from run_specs import IMAGES, given_images

from dama.errors import SpecError
from dama.manifests.placed import placed
from dama.spec.images import NAMES, OURS, RUN, UNPUSHED, locked_images
from dama.spec.load import parse


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("storage.uri=/data", "storage.uri"),
        ("storage.uri=./data", "storage.uri"),
        ("model={kind: local, path: ./llava}", "model.path"),
        ("model={kind: local, path: /models/llava}", "model.path"),
        ("hardness.scorer.weights=./clip", "hardness.scorer.weights"),
        ("hardness.facts={engine: vllm, model: {kind: local, path: /qwen}}", "hardness.facts.model.path"),
        ("evaluate.benchmarks=[{kind: amber, data: ./amber}]", "evaluate.benchmarks.0.data"),
        ("storage={uri: s3://bcd, keys: {access_key: A, secret_key: B}}", "cluster.secret"),
    ],
)
def test_what_only_this_machine_has_is_refused_with_its_path(override: str, path: str) -> None:
    with pytest.raises(SpecError) as caught:
        rendered("model: llava-7b", override)
    assert path in {problem.path for problem in caught.value.problems}
    assert all(problem.do for problem in caught.value.problems)


def test_unpushed_images_are_refused_together_with_everything_else(tmp_path: Path) -> None:
    lock = tmp_path / "images.lock"
    lock.write_text("".join(f"{name} {UNPUSHED if name in OURS else IMAGES['store']}\n" for name in NAMES))
    spec = parse("model: llava-7b\nstorage: {uri: /data}", folder=None)
    with pytest.raises(SpecError) as caught:
        placed(spec, partial(locked_images, lock=lock))
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["storage.uri", "images.preprocess", "images.train", "images.control"]


def test_only_the_images_that_the_run_file_leaves_out_are_looked_for() -> None:
    given = [f"images.{name}=x.org/y@sha256:{'0' * 64}" for name in RUN]
    train = given[1].partition("=")[2]
    assert placed(parse("model: llava-7b", given, folder=None)).images.train == train  # no lock is read
    asked: list[str] = []

    def of_a_lock(names: Sequence[str]) -> dict[str, str]:
        asked.extend(names)
        return given_images(names)

    images = placed(parse("model: llava-7b", given[:2], folder=None), of_a_lock).images
    assert asked == ["control", "store"]
    assert images.train == train
    assert images.control == IMAGES["control"]
