"""After all other tests: uninstalling leaves nothing but the bucket."""

from __future__ import annotations

from bed import FIRST, Bed, until


def test_uninstalling_leaves_nothing_but_the_bucket(bed: Bed) -> None:
    bed.helm("uninstall", FIRST)
    kinds = "pods,jobs,pytorchjobs,deployments,services,configmaps,roles,rolebindings"
    kinds += ",networkpolicies,serviceaccounts"
    label = f"app.kubernetes.io/instance={FIRST}"
    until("nothing left", lambda: not bed.kubectl("get", kinds, "-o", "name", "-l", label).strip(), 180)
    kept = bed.kubectl("get", "persistentvolumeclaims,secrets", "-o", "name", "-l", label).split()
    assert sorted(kept) == [f"persistentvolumeclaim/{FIRST}-store", f"secret/{FIRST}-store"]
