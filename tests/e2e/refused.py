"""A run whose keys the store refuses: told where people look, and no GPU is taken for it."""

from __future__ import annotations

from pathlib import Path

from bed import Bed, elsewhere, until

from dama.spec.load import laid_over


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
    values = bed.values(folder, name="wrong", **laid_over(elsewhere("wrong"), other))
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
