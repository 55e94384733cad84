"""Kueue: training holds quota only once its facts are there, two runs take turns, and all is given back."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from bed import FIRST, NAMESPACE, Bed, copy_preprocessed, elsewhere, run, until

from dama.spec.load import laid_over

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
        more = laid_over(elsewhere(name), {"cluster": {"queue": {"name": "e2e"}}})
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

    def given_back() -> bool:
        queue = json.loads(run("kubectl", "get", "clusterqueue", "e2e", "--output", "json"))
        return bool(queue["status"]["admittedWorkloads"] == 0)

    until("the quota to be given back", given_back, 60)
    for name in names:
        bed.dama("cancel", name)
    run("kubectl", "delete", "clusterqueue,resourceflavor", "e2e", "--wait=false")
