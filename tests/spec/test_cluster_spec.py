"""What a run file may ask of a cluster, and what it is told when it asks for too much."""

from __future__ import annotations

import pytest

from dama.errors import SpecError
from dama.spec.load import parse

DIGEST = "@sha256:" + "0" * 64


def problems(*overrides: str) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        parse("model: llava-7b", overrides, folder=None)
    return {problem.path: str(problem) for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("override", "path", "said"),
    [
        ("cluster={backend: job, nodes: 2}", "cluster.backend", "set cluster.backend=pytorchjob"),
        ("cluster.create_namespace=true", "cluster.create_namespace", "set cluster.namespace"),
        ("cluster.scratch.storage_class=fast", "cluster.scratch.storage_class", "cluster.scratch.claim=true"),
        ("cluster.volumes=[{claim: a, path: /scratch}]", "cluster.volumes.0.path", "choose another path"),
        (
            "cluster.volumes=[{claim: a, path: /a}, {claim: b, path: /a/}]",
            "cluster.volumes.1.path",
            "choose another path",
        ),
        ("images.train=registry.example.org/train:1", "images.train", "images.allow_mutable_tags=true"),
        ("images.train='not an image'", "images.train", "pattern"),
        ("cluster.queue={name: Upper}", "cluster.queue.name", "pattern"),
        ("cluster.train.memory_gib=0", "cluster.train.memory_gib", "greater than"),
        (f"name={'x' * 41}", "name", "40"),
    ],
)
def test_what_cannot_be_is_told_with_its_path_and_a_way_out(override: str, path: str, said: str) -> None:
    assert said in problems(override)[path]


def test_a_long_name_is_refused_for_trainer_alone() -> None:
    name = f"name={'x' * 35}"
    assert parse("model: tiny", [name], folder=None).name == "x" * 35
    assert "at most 34" in problems(name, "cluster.backend=trainjob")["name"]


def test_tags_are_allowed_where_they_are_asked_for() -> None:
    image = "images={train: 'x.org/a:1', allow_mutable_tags: true}"
    assert parse("model: tiny", [image], folder=None).images.train == "x.org/a:1"
    assert parse("model: tiny", [f"images.train=localhost:5000/a{DIGEST}"], folder=None).images.train


def test_none_stands_for_null_where_helm_drops_nulls() -> None:
    assert parse("{model: tiny, method: dpo, hardness: none}", folder=None).hardness is None


def test_one_key_of_a_step_is_set_and_the_others_stay() -> None:
    spec = parse("model: llava-7b\ncluster: {train: {cpus: 32}, evaluate: {memory_gib: 64}}", folder=None)
    train, evaluate, whole = spec.cluster.train, spec.cluster.evaluate, parse("model: llava-7b", folder=None)
    assert (train.cpus, train.memory_gib, train.shm_gib) == (32, 128, 16)
    assert (evaluate.cpus, evaluate.memory_gib, evaluate.shm_gib) == (4, 64, 2)
    assert spec.cluster.preprocess == whole.cluster.preprocess
    larger = parse("model: llava-13b", folder=None).cluster.train
    assert (larger.cpus, larger.memory_gib, larger.shm_gib) == (16, 224, 16)
