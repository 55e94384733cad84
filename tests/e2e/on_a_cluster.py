"""The whole way on a real control plane, and the faults on it: `make e2e`.

Wants KUBECONFIG, kubectl, helm, and images by digest in DAMA_E2E_IMAGES (a file like the lock of images).
The cluster needs the training operator and a default StorageClass; Kueue and Trainer are used where they are.
Tests stand in the order of the story and share one namespace, its bucket, and what was preprocessed once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bed import ROOT, SMALL, Bed, final, made, record, run, until

from dama.manifests.names import run_text
from dama.manifests.placed import placed
from dama.manifests.shipped import NOT_PUSHED
from dama.spec.images import OURS, read_lock
from dama.spec.load import _laid_over, parse
from dama.storage.base import Store

NAMESPACE, FIRST = "dama-e2e", "first"
MADE_ONCE = ("world", "splitter", "data", "facts", "scores", "alpha", "baseline")
STEPS = 48
"""Long enough to be disturbed; a checkpoint every four."""
FLOAT32 = 2e-6
"""Losses near 0.7 that differ by less are equal to float32 rounding."""


def images() -> dict[str, str]:
    lock = read_lock(Path(os.environ["DAMA_E2E_IMAGES"]))
    return {name: lock[name] for name in ("preprocess", "train", "control", "store")}


def has(api: str) -> bool:
    return api in run("kubectl", "api-versions").split()


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found")
    run("kubectl", "create", "namespace", NAMESPACE)
    run("kubectl", "label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield Bed(NAMESPACE, images())
    run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("e2e")


def elsewhere(prefix: str) -> dict[str, Any]:
    """Return what keeps a run under a prefix of the first run's bucket, by an existing Secret."""
    storage = {
        "uri": f"s3://dama/{prefix}",
        "endpoint_url": f"http://{FIRST}-store:7070",
        "path_style": True,
        "keys": {"access_key": "S3_ACCESS_KEY", "secret_key": "S3_SECRET_KEY"},
    }
    return {"storage": storage, "cluster": {"secret": f"{FIRST}-store"}}


def copy_preprocessed(store: Store, prefix: str, folder: Path) -> None:
    """Put what the first run made before training under `prefix`, so that only training is new there."""
    for stage in MADE_ONCE:
        for key in list(store.keys(f"artifacts/{stage}/")):
            store.get_file(key, folder / "part")
            store.put_file(f"{prefix}/{key}", folder / "part")


def test_helm_runs_everything_and_faults_on_the_way_do_no_harm(bed: Bed, folder: Path) -> None:
    values = bed.values(folder, train={"max_steps": STEPS})
    bed.helm("upgrade", "--install", FIRST, str(ROOT / "helm"), "--values", str(values))

    def held() -> None:
        job = bed.step(FIRST, "train", "pytorchjob")
        assert job is not None
        assert job["spec"]["runPolicy"]["suspend"] is True
        assert bed.all("pod", run=FIRST, step="train") == []

    until(
        "the store", lambda: bed.kubectl("get", "secret", f"{FIRST}-store", check=False).count("Opaque"), 180
    )
    until("the store's pod", lambda: "1/1" in bed.kubectl("get", f"deployment/{FIRST}-store"), 180)
    with bed.bucket(f"{FIRST}-store") as store:
        until(
            "the facts",
            lambda: [  # those of the stage, not of its shards
                key
                for key in store.keys("artifacts/facts/")
                if key.endswith("/commit.json") and key.count("/") == 3
            ],
        )
        held()
        for pod in bed.all("pod", run=FIRST, step="preprocess"):
            bed.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        until("preprocessing", lambda: bed.condition(bed.step(FIRST, "preprocess"), "Complete"))
        assert record(store, FIRST, "facts")["reused"] is True  # not made again after the pod was deleted

        (pod,) = until("a training pod", lambda: bed.all("pod", run=FIRST, step="train"), 60)
        preprocessed = bed.step(FIRST, "preprocess")
        assert preprocessed is not None
        assert pod["metadata"]["creationTimestamp"] >= preprocessed["status"]["completionTime"]

        def checkpoints() -> list[str]:
            keys = store.keys("artifacts/train/")
            return [key for key in keys if "/checkpoints/" in key and key.endswith("commit.json")]

        until("a checkpoint in the bucket", checkpoints)
        processes = bed.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", _COUNT_RANKS)
        assert int(processes) == 4
        bed.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        until("another training pod", lambda: _another(bed, pod["metadata"]["uid"]), 180)

        until("its progress", lambda: "train: training, dama:" in bed.dama("status", FIRST), 180)
        rendered = bed.dama(
            "render", str(values), "--set", f"name={FIRST}", "--set", f"cluster.namespace={NAMESPACE}"
        )
        # this holds training back, and the release lets it go on
        bed.kubectl("apply", "--filename", "-", stdin=rendered)
        bed.wait_done(FIRST)
        assert made(store, FIRST, "train")["resumed_from"] >= 4
        assert store.size(f"runs/{FIRST}/report/report.html")
        assert final(store, FIRST)["step"] == STEPS
    assert "done" in bed.dama("status", FIRST)
    assert "report: s3://dama" in bed.dama("logs", FIRST, "evaluate")
    pods = bed.all("pod", run=FIRST)
    assert all("@sha256:" in one["spec"]["containers"][0]["image"] for one in pods)


_COUNT_RANKS = """
import glob
lines = [open(path, "rb").read().split(b"\\0") for path in glob.glob("/proc/[0-9]*/cmdline")]
ours = [line for line in lines if b"stage" in line and b"train" in line]
print(sum(b"dama.stages.torchrun" not in line for line in ours))
"""


def _another(bed: Bed, uid: str) -> bool:
    pods = bed.all("pod", run=FIRST, step="train")
    return any(one["metadata"]["uid"] != uid and one["status"]["phase"] == "Running" for one in pods)


def test_helms_own_test_reaches_bucket_and_operator(bed: Bed) -> None:
    assert "Succeeded" in bed.helm("test", FIRST)


def test_the_disturbed_run_ends_with_the_loss_of_one_that_nobody_disturbed(bed: Bed, folder: Path) -> None:
    values = bed.values(folder, name="calm", train={"max_steps": STEPS}, **elsewhere("calm"))
    with bed.bucket(f"{FIRST}-store") as store:
        copy_preprocessed(store, "calm", folder)
        bed.dama("submit", str(values))  # follows it to its end
    with bed.bucket(f"{FIRST}-store") as store, bed.bucket(f"{FIRST}-store", "calm") as calm:
        assert made(calm, "calm", "train")["resumed_from"] == 0
        assert final(calm, "calm")["loss"] == final(store, FIRST)["loss"]  # to the bit


def test_another_beta_is_a_new_run_on_the_same_alpha(bed: Bed, folder: Path) -> None:
    before = bed.step(FIRST, "train", "pytorchjob")
    values = bed.values(folder, train={"max_steps": STEPS})
    bed.helm("upgrade", FIRST, str(ROOT / "helm"), "--values", str(values), "--set", "method.beta=0.2")
    after = bed.step(FIRST, "train", "pytorchjob")
    assert before is not None
    assert after is not None
    assert before["metadata"]["name"] != after["metadata"]["name"]
    until("preprocessing", lambda: bed.condition(bed.step(FIRST, "preprocess"), "Complete"))
    with bed.bucket(f"{FIRST}-store") as store:
        assert record(store, FIRST, "alpha")["reused"] is True
    until("training", lambda: bed.all("pod", run=FIRST, step="train"), 120)
    bed.dama("cancel", FIRST)


def test_a_wrong_secret_is_told_and_nothing_is_released(bed: Bed, folder: Path) -> None:
    bed.kubectl(
        "create",
        "secret",
        "generic",
        "wrong",
        "--from-literal=S3_ACCESS_KEY=a",
        "--from-literal=S3_SECRET_KEY=b",
    )
    other = {"cluster": {"secret": "wrong"}}
    values = bed.values(folder, name="wrong", **_laid_over(elsewhere("wrong"), other))
    bed.dama("submit", str(values), "--no-follow")
    until("the release to fail", lambda: bed.condition(bed.step("wrong", "release"), "Failed"), 180)
    (pod,) = bed.all("pod", run="wrong", step="release")
    message = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    assert "refuse" in message
    job = bed.step("wrong", "train", "pytorchjob")
    assert job is not None
    assert job["spec"]["runPolicy"]["suspend"] is True
    assert bed.all("pod", run="wrong", step="train") == []
    assert "failed" in bed.dama("ls")
    bed.dama("cancel", "wrong")


@pytest.mark.parametrize("backend", ["two nodes", "job", "trainjob"])
def test_every_backend_ends_with_the_same_loss(bed: Bed, folder: Path, backend: str) -> None:
    if backend == "trainjob" and not has("trainer.kubeflow.org/v1alpha1"):
        pytest.skip("this cluster has no Kubeflow Trainer")
    name = backend.replace(" ", "-")
    cluster: dict[str, Any] = {"nodes": 2} if backend == "two nodes" else {"backend": backend}
    values = bed.values(
        folder, name=name, train={"max_steps": STEPS}, **_laid_over(elsewhere(name), {"cluster": cluster})
    )
    with bed.bucket(f"{FIRST}-store") as store:
        copy_preprocessed(store, name, folder)
        bed.dama("submit", str(values))
    with bed.bucket(f"{FIRST}-store", "calm") as calm, bed.bucket(f"{FIRST}-store", name) as other:
        assert final(other, name)["loss"] == pytest.approx(final(calm, "calm")["loss"], abs=FLOAT32)
        assert other.size(f"runs/{name}/report/report.html")
    bed.dama("cancel", name)


QUEUES = """
apiVersion: kueue.x-k8s.io/{version}
kind: ResourceFlavor
metadata: {{name: e2e}}
---
apiVersion: kueue.x-k8s.io/{version}
kind: ClusterQueue
metadata: {{name: e2e}}
spec:
  namespaceSelector: {{}}
  resourceGroups:
    - coveredResources: [cpu, memory]
      flavors:
        - name: e2e
          resources:
            - {{name: cpu, nominalQuota: 1}}
            - {{name: memory, nominalQuota: 6Gi}}
---
apiVersion: kueue.x-k8s.io/{version}
kind: LocalQueue
metadata: {{name: e2e, namespace: {namespace}}}
spec: {{clusterQueue: e2e}}
"""


def test_kueue_admits_training_only_when_it_is_released_and_runs_take_turns(bed: Bed, folder: Path) -> None:
    if not any(line.startswith("kueue.x-k8s.io/") for line in run("kubectl", "api-versions").split()):
        pytest.skip("this cluster has no Kueue")
    versions = [
        line.split("/")[1] for line in run("kubectl", "api-versions").split() if line.startswith("kueue.")
    ]
    bed.kubectl(
        "apply", "--filename", "-", stdin=QUEUES.format(version=sorted(versions)[-1], namespace=NAMESPACE)
    )
    names = ["turn-a", "turn-b"]
    with bed.bucket(f"{FIRST}-store") as store:
        for name in names:
            copy_preprocessed(store, name, folder)
    for name in names:  # each asks for most of the queue's memory while it trains
        more = _laid_over(elsewhere(name), {"cluster": {"queue": {"name": "e2e"}}})
        bed.dama("submit", str(bed.values(folder, name=name, **more)), "--no-follow")
    gated = bed.step(names[0], "train", "pytorchjob")
    assert gated is not None
    seen_together = False
    pending = set(names)
    end = time.monotonic() + 1200
    while pending and time.monotonic() < end:
        running = {
            name
            for name in names
            for pod in bed.all("pod", run=name, step="train")
            if pod["status"]["phase"] in ("Pending", "Running")
        }
        seen_together = seen_together or len(running) > 1
        for name in list(pending):
            preprocessed = bed.condition(bed.step(name, "preprocess"), "Complete")
            assert preprocessed or not bed.all("pod", run=name, step="train")
            release = bed.step(name, "release")
            assert not bed.condition(release, "Failed"), bed.words(name)
            if bed.condition(release, "Complete"):
                pending.discard(name)
        time.sleep(1)
    assert not pending
    assert not seen_together
    used = json.loads(run("kubectl", "get", "clusterqueue", "e2e", "--output", "json"))["status"]
    assert used["admittedWorkloads"] == 0  # the quota is given back
    for name in names:
        bed.dama("cancel", name)
    run("kubectl", "delete", "clusterqueue,resourceflavor", "e2e", "--wait=false")


def test_uninstalling_leaves_nothing_but_the_bucket(bed: Bed) -> None:
    bed.helm("uninstall", FIRST)
    kinds = "pods,jobs,pytorchjobs,deployments,services,configmaps,roles,rolebindings"
    kinds += ",networkpolicies,serviceaccounts"
    label = f"app.kubernetes.io/instance={FIRST}"
    until("nothing left", lambda: not bed.kubectl("get", kinds, "-o", "name", "-l", label).strip(), 180)
    kept = bed.kubectl("get", "persistentvolumeclaims,secrets", "-o", "name", "-l", label).split()
    assert sorted(kept) == [f"persistentvolumeclaim/{FIRST}-store", f"secret/{FIRST}-store"]


@pytest.mark.parametrize("place", ["k8s", "k8s/overlays/llava-13b", "k8s/overlays/kueue"])
def test_what_lies_in_k8s_is_accepted_as_it_is(place: str) -> None:
    run("kubectl", "create", "namespace", "dama", check=False)
    how = "--kustomize" if "overlays" in place else "--filename"
    run("kubectl", "apply", "--dry-run=server", how, str(ROOT / place))


def test_the_tiny_overlay_runs_by_kubectl_alone(folder: Path) -> None:
    tiny = Bed("dama", images())
    place = ROOT / "build" / "e2e"  # kustomize reads folders by relative paths only
    place.mkdir(parents=True, exist_ok=True)
    (shipped,) = (ROOT / "k8s" / "overlays" / "tiny").glob("*-configmap.yaml")
    name = yaml.safe_load(shipped.read_text())["metadata"]["name"]
    text = yaml.safe_dump(
        _laid_over({**SMALL, "cluster": {"namespace": "dama"}}, {"name": "tiny", "images": images()})
    )
    smaller = run_text(placed(parse(text, folder=None)))
    shipped_images = {**{each: NOT_PUSHED.format(each) for each in OURS}, "store": read_lock()["store"]}
    replaced = [
        {"name": _name(shipped_images[each]), "newName": _name(image), "digest": image.partition("@")[2]}
        for each, image in images().items()
    ]
    patch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "dama"}}
    overlay = {
        "resources": ["../../k8s/overlays/tiny"],
        "images": replaced,
        "patches": [{"patch": yaml.safe_dump({**patch, "data": {"run.yaml": smaller}})}],
    }
    (place / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    try:
        run("kubectl", "apply", "--kustomize", str(place))
        tiny.wait_done("tiny")
        with tiny.bucket("tiny-store") as store:
            assert store.size("runs/tiny/report/report.html")
    finally:
        run("kubectl", "delete", "namespace", "dama", "--wait=false")


def _name(image: str) -> str:
    """Return registry and path of an image, which is what kustomize calls its name."""
    rest = image.partition("@")[0]
    return rest if "/" in rest.rpartition(":")[2] else rest.rpartition(":")[0]
