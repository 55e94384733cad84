"""What a cluster cannot have of a run file is refused before anything is rendered, all of it at once."""

from __future__ import annotations

import pytest
from rendered import rendered

from dama.errors import SpecError
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


def test_unpushed_images_are_refused_together_with_everything_else() -> None:
    from dama.manifests.placed import placed
    from dama.spec.images import locked_images

    spec = parse("model: llava-7b\nstorage: {uri: /data}", folder=None)
    try:
        locked_images()
    except SpecError:
        with pytest.raises(SpecError) as caught:
            placed(spec)
        paths = [problem.path for problem in caught.value.problems]
        assert paths == ["storage.uri", "images.preprocess", "images.train", "images.control"]
    given = [
        f"images.{name}=x.org/y@sha256:{'0' * 64}" for name in ("preprocess", "train", "control", "store")
    ]
    assert placed(parse("model: llava-7b", given, folder=None)).images.train == given[1].partition("=")[2]
