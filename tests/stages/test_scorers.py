"""The scorer of a run is opened late, checked first, and says what it did."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
from clips import write_tiny_clip
from PIL import Image

from dama.errors import HardnessError, ToolMissing
from dama.records import Facts, Preference
from dama.spec.load import parse
from dama.stages import scores
from dama.stages.base import Planned, StageContext
from dama.stages.scorers import RunScorer, open_scorer, require_scorer, together
from dama.storage.local import LocalStore

LONG = "a small red star at top on the left"


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "model")


class Grey:
    def open(self, sha256: str) -> Image.Image:
        return Image.new("RGB", (32, 32), (int(sha256, 16) % 256,) * 3)


def item(name: str, image: int, *facts: str) -> tuple[Preference, Facts]:
    return Preference(name, f"{image:064x}", "?", "", ""), Facts(name, facts, ("a star .",))


def opened(scorer: str, place: Path, *overrides: str) -> tuple[RunScorer, StageContext]:
    text = f"model: {{kind: hub, id: owner/name}}\ndata: {{kind: jsonl, uri: x.jsonl}}\nhardness: {scorer}"
    spec = parse(text, overrides, folder=place)
    planned = Planned(scores.STAGE, "", "", ())
    context = StageContext(spec, LocalStore(place), planned, {}, {}, place, place)
    return open_scorer(context), context


def test_a_commit_says_who_scored_and_what_was_encoded(clip_folder: Path, tmp_path: Path) -> None:
    text = f"{{scorer: {{engine: open_clip, weights: {clip_folder}, over_length: split, device: cpu}}}}"
    scorer, context = opened(text, tmp_path)
    list(scorer.score([item("a", 1, "a star .", LONG), item("b", 1, "a star .")], Grey()))
    sha256 = hashlib.sha256((clip_folder / "open_clip_model.safetensors").read_bytes()).hexdigest()
    first = scorer.account()
    assert first == {
        "scorer": {
            "engine": "open_clip",
            "model": "local",
            "sha256": sha256,
            "precision": "float32",
            "context_tokens": 10,
            "over_length": "split",
        },
        "images_encoded": 1,
        "texts_encoded": 3,
        "facts_truncated": 0,
        "facts_split": 1,
    }
    assert context.notes["device"] == "cpu"
    list(scorer.score([item("c", 1, "a star ."), item("d", 2, "a star .")], Grey()))
    second = scorer.account()
    assert second == {**first, "images_encoded": 2, "texts_encoded": 1, "facts_split": 0}
    whole = {"scorer": first["scorer"], "images_encoded": 3, "texts_encoded": 4, "facts_truncated": 0}
    assert together([first, second]) == {**whole, "facts_split": 1}


def test_nothing_is_loaded_before_the_first_score(tmp_path: Path) -> None:
    scorer, _ = opened("{scorer: {engine: open_clip, weights: ./none}}", tmp_path)
    with pytest.raises(HardnessError, match="nothing was scored yet"):
        scorer.account()
    with pytest.raises(HardnessError, match=r"none holds no open_clip_config\.json"):
        next(scorer.score([item("a", 1, "a star .")], Grey()))


def test_a_run_without_hardness_has_no_scorer(tmp_path: Path) -> None:
    with pytest.raises(HardnessError, match="this run has no hardness"):
        opened("null\nmethod: dpo", tmp_path)


def test_shards_that_were_scored_otherwise_are_not_put_together() -> None:
    one = {"scorer": {"model": "ViT-B-32", "precision": "float16"}, "images_encoded": 1}
    other = {"scorer": {"model": "ViT-B-32", "precision": "float32"}, "images_encoded": 1}
    with pytest.raises(HardnessError, match=r"otherwise than others: precision float16 and float32; wanted"):
        together([one, one, other])


def test_a_tag_without_a_model_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    _, context = opened("{scorer: {engine: open_clip, model: local, weights: clip}}", tmp_path)
    with pytest.raises(HardnessError, match=r"weights 'clip' names no folder; .* write \./clip"):
        require_scorer(context.spec)
    require_scorer(opened("{scorer: {engine: open_clip}}", tmp_path)[1].spec)


def test_open_clip_is_asked_for_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = opened("{scorer: {engine: open_clip}}", tmp_path)[1].spec
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "open_clip" else found(name)
    )
    with pytest.raises(ToolMissing, match="open_clip is not installed"):
        require_scorer(spec)
