"""What lies in k8s/, applied by kubectl as it is; the tiny overlay runs to its report."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bed import ROOT, SMALL, Bed, images, run

from dama.manifests.names import run_text
from dama.manifests.placed import placed
from dama.manifests.shipped import NOT_PUSHED
from dama.spec.images import OURS, read_lock
from dama.spec.load import laid_over, parse


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
        laid_over({**SMALL, "cluster": {"namespace": "dama"}}, {"name": "tiny", "images": images()})
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
