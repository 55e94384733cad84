"""One run by helm, disturbed wherever it can be, beside one that nobody disturbs; then another beta."""

from __future__ import annotations

import shutil
from pathlib import Path

from bed import (
    FIRST,
    NAMESPACE,
    ROOT,
    STEPS,
    Bed,
    Object,
    copy_preprocessed,
    elsewhere,
    final,
    made,
    record,
    until,
)


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
        until(
            "another training pod",
            lambda: [one for one in _running(bed) if one["metadata"]["uid"] != pod["metadata"]["uid"]],
            180,
        )

        until("its progress", lambda: "train: training, dama:" in bed.dama("status", FIRST), 180)
        (pod,) = _running(bed)
        for helm in filter(shutil.which, ("helm", "helm4")):
            chart = ("upgrade", FIRST, str(ROOT / "helm"), "--values", str(values))
            bed.helm(*chart, program=helm)
        job = bed.step(FIRST, "train", "pytorchjob")
        assert job is not None
        assert job["spec"]["runPolicy"]["suspend"] is False
        assert [one["metadata"]["uid"] for one in _running(bed)] == [pod["metadata"]["uid"]]
        rendered = bed.dama(
            "render", str(values), "--set", f"name={FIRST}", "--set", f"cluster.namespace={NAMESPACE}"
        )
        # kubectl, unlike helm, cannot look; this holds training back, and the release lets it go on
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


def _running(bed: Bed) -> list[Object]:
    """Return the training's pods that run and are not being deleted."""
    pods = bed.all("pod", run=FIRST, step="train")
    return [
        one
        for one in pods
        if one["status"]["phase"] == "Running" and "deletionTimestamp" not in one["metadata"]
    ]


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
