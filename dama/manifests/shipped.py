"""`python -m dama.manifests.shipped`: writes the files of helm/ and k8s/ that follow from the code.

k8s/ holds one default run, and complete runs of other kinds below it. Until images are pushed they name
images that no registry has, whose names say what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dama.manifests.chart import chart_files
from dama.manifests.placed import placed
from dama.manifests.render import file_names, render, to_yaml
from dama.spec.images import OURS, UNPUSHED, read_lock
from dama.spec.load import parse

NAMESPACE = "dama"
NOT_PUSHED = "make-push-first.invalid/dama/{}@sha256:" + "0" * 64
_COMMON = f"cluster: {{namespace: {NAMESPACE}, create_namespace: true}}\n"
RUNS = {
    "": "name: llava-7b\nmodel: llava-7b\n",
    "overlays/llava-13b": "name: llava-13b\nmodel: llava-13b\n",
    "overlays/tiny": "name: tiny\nmodel: tiny\n",
    "overlays/kueue": "name: llava-7b-queued\nmodel: llava-7b\n",
}
_SET = {"overlays/kueue": ["cluster.queue={name: dama}"]}


def shipped_files() -> dict[str, str]:
    """Return every generated file of helm/ and k8s/, by its path in the repository."""
    files = {f"helm/{name}": text for name, text in chart_files().items()}
    for folder, text in RUNS.items():
        spec = parse(text + _COMMON, _SET.get(folder, ()), folder=None)
        objects = render(placed(spec, _locked_or_not))
        names = [f"{name}.yaml" for name in file_names(objects)]
        place = f"k8s/{folder}/" if folder else "k8s/"
        for name, one in zip(names, objects, strict=True):
            files[f"{place}{name}"] = to_yaml([one])
        if folder:
            listed = "".join(f"  - {name}\n" for name in names)
            files[f"{place}kustomization.yaml"] = (
                f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{listed}"
            )
    return files


def _locked_or_not(names: Sequence[str]) -> dict[str, str]:
    lock = read_lock()
    return {
        name: NOT_PUSHED.format(name) if name in OURS and lock[name] == UNPUSHED else lock[name]
        for name in names
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files below the folder given (the repository's root); remove what is no longer made."""
    root, files = Path(arguments[0] if arguments else "."), shipped_files()
    for old in root.glob("k8s/**/*.yaml"):
        if old.relative_to(root).as_posix() not in files:
            old.unlink()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
