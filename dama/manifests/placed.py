"""A run file as its pods read it: images by digest, a store they reach, a namespace, scratch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dama.errors import Problem, SpecError
from dama.spec.images import RUN, locked_images
from dama.spec.paths import local_sources, mounted
from dama.spec.run import RunSpec
from dama.spec.storage import StorageSpec

SCRATCH = "/scratch"
BUCKET = "dama"
STORE_PORT = 7070
NAMESPACE = "default"
ACCESS_KEY, SECRET_KEY = "S3_ACCESS_KEY", "S3_SECRET_KEY"


def placed(spec: RunSpec, images: Callable[[Sequence[str]], Mapping[str, str]] = locked_images) -> RunSpec:
    """Return `spec`, read without making its paths absolute, as the pods of a run read it.

    `images` gives those that the run file leaves out, by name. SpecError, with every problem, for what means
    something on this machine only: folders outside the volumes of the run, variables without a Secret.
    """
    problems = [*_local(spec), *_secrets(spec)]
    raw = spec.model_dump()
    missing = [name for name in RUN if raw["images"][name] is None]
    if missing:
        try:
            raw["images"] |= images(missing)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    if brings_store(spec):
        raw["storage"] |= {
            "uri": f"s3://{BUCKET}",
            "endpoint_url": f"http://{spec.name}-store:{STORE_PORT}",
            "path_style": True,
            "keys": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY},
        }
    raw["storage"]["scratch"] = SCRATCH
    raw["cluster"]["namespace"] = spec.cluster.namespace or NAMESPACE
    return RunSpec.model_validate(raw)


def brings_store(spec: RunSpec) -> bool:
    """Say whether the run brings a store of its own: `storage.uri` is left out, or this was placed so."""
    return spec.storage.uri == StorageSpec().uri or (
        spec.storage.uri == f"s3://{BUCKET}"
        and str(spec.storage.endpoint_url) == f"http://{spec.name}-store:{STORE_PORT}/"
    )


def variables(spec: RunSpec) -> dict[str, str]:
    """Return the variables that the run file names, each with the path that names it."""
    named: dict[str, str] = {}
    keys = spec.storage.keys
    if keys is not None and not brings_store(spec):
        for key in ("access_key", "secret_key", "session_token"):
            name = getattr(keys, key)
            if name is not None:
                named.setdefault(name, f"storage.keys.{key}")
    facts = spec.hardness.facts if spec.hardness else None
    key_env = getattr(facts, "key_env", None)
    if key_env is not None:
        named.setdefault(key_env, "hardness.facts.key_env")
    for number, benchmark in enumerate(spec.evaluate.benchmarks):
        judge = getattr(benchmark, "judge", None)
        if judge is not None and judge.key_env is not None:
            named.setdefault(judge.key_env, f"evaluate.benchmarks.{number}.judge.key_env")
    return named


def _secrets(spec: RunSpec) -> list[Problem]:
    if spec.cluster.secret is not None:
        return []
    return [
        Problem(
            "cluster.secret",
            f"nothing, and {path} names the variable {name}",
            wanted=f"the name of a Secret with a key {name}",
            do=f"kubectl create secret generic NAME --from-literal={name}=..., then set cluster.secret=NAME",
        )
        for name, path in variables(spec).items()
    ]


def _local(spec: RunSpec) -> list[Problem]:
    problems = [
        Problem(
            path,
            f"'{text}' is a folder of this machine",
            wanted="an address (hf://, s3://), or a path below one of cluster.volumes",
            do="copy it to the bucket, or to a claim that cluster.volumes names",
        )
        for path, text in local_sources(spec)
        if not mounted(spec, text)
    ]
    if not brings_store(spec) and not spec.storage.uri.startswith("s3://"):
        problems.append(
            Problem(
                "storage.uri",
                f"'{spec.storage.uri}' is a folder of this machine",
                wanted="s3://bucket/prefix",
                do="write a bucket, or leave storage.uri out: the run then brings a store of its own",
            )
        )
    return problems
