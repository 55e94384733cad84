"""Scores by a real, tiny open_clip model."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pairs import Drawn, Item, items, key, one, slow_scores
from PIL import Image

from dama.data.images import decode
from dama.errors import HardnessError
from dama.hardness import features
from dama.hardness.clip import Clip, load_clip
from dama.hardness.scorer import ClipScorer
from dama.hardness.similarity import Scorer
from dama.records import Facts, PairScore, Preference


@pytest.fixture(scope="module")
def clip(tiny_clip: Path) -> Clip:
    torch.set_num_threads(1)
    return load_clip("local", str(tiny_clip), device="cpu")


@pytest.fixture
def scorer(clip: Clip) -> ClipScorer:
    return ClipScorer(clip)


def scores(scorer: ClipScorer, *wanted: Item) -> list[PairScore]:
    return list(scorer.score(wanted, Drawn()))


def test_scores_are_those_of_every_pair_by_its_own_forward(scorer: ClipScorer, tiny_clip: Path) -> None:
    wanted = items(6)
    kept: Scorer = scorer  # the protocol that any other scorer keeps
    for item, score in zip(wanted, kept.score(wanted, Drawn()), strict=True):
        assert score.id == item[0].id
        assert score.flags == ()
        chosen, rejected = slow_scores(tiny_clip, item)
        assert score.chosen == pytest.approx(chosen, abs=1e-4)
        assert score.rejected == pytest.approx(rejected, abs=1e-4)


def test_scores_do_not_depend_on_the_company(clip: Clip, scorer: ClipScorer) -> None:
    wanted = items(9)
    together = scores(scorer, *wanted)
    alone = [scores(ClipScorer(clip, batch=1, threads=1), item)[0] for item in wanted]
    in_windows = scores(ClipScorer(clip, batch=2, window=2), *wanted)
    for other in (alone, in_windows):
        assert [score.id for score in other] == [score.id for score in together]
        for a, b in zip(together, other, strict=True):
            assert a.chosen == pytest.approx(b.chosen, abs=1e-4)
            assert a.rejected == pytest.approx(b.rejected, abs=1e-4)


def test_a_call_follows_from_its_items_alone_to_the_bit(clip: Clip) -> None:
    """What was scored before, and how many threads decode, changes nothing."""
    wanted = items(9)
    fresh = scores(ClipScorer(clip, batch=3), *wanted[4:])
    used = ClipScorer(clip, batch=3, threads=5)
    scores(used, *wanted[:6])
    assert scores(used, *wanted[4:]) == fresh


def test_every_distinct_image_and_fact_is_encoded_once(clip: Clip) -> None:
    images, wanted = Drawn(), items(10)
    scorer = ClipScorer(clip, batch=2, window=3)
    list(scorer.score(wanted, images))
    assert sorted(images.opened) == [key(17 * n) for n in range(5)]
    distinct = {text for _, facts in wanted for text in (*facts.chosen, *facts.rejected)}
    assert scorer.counts == {"images": 5, "texts": len(distinct)}


def test_what_is_remembered_is_bounded(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "REMEMBERED", 2)
    wanted = items(10)
    scorer = ClipScorer(clip, window=4)
    found = scores(scorer, *wanted)
    assert [score.id for score in found] == [f"p{n}" for n in range(10)]
    assert scorer.counts["texts"] > 5  # some were forgotten and encoded again
    for bounded, whole in zip(found, scores(ClipScorer(clip), *wanted), strict=True):
        assert bounded.chosen == pytest.approx(whole.chosen, abs=1e-4)


def test_a_window_at_a_time_is_drawn(clip: Clip) -> None:
    drawn = []

    def stream() -> Iterator[Item]:
        for item in items(10):
            drawn.append(item[0].id)
            yield item

    found = ClipScorer(clip, window=4).score(stream(), Drawn())
    assert next(found).id == "p0"
    assert len(drawn) == 4


def test_equal_facts_get_equal_scores(scorer: ClipScorer) -> None:
    (score,) = scores(scorer, one(("a star .", "a star ."), ("a star .",)))
    assert score.chosen == (score.rejected[0], score.rejected[0])


def test_nothing_to_score_is_no_fault(scorer: ClipScorer) -> None:
    assert scores(scorer) == []


ODD = {
    "empty": "",
    "blanks": "  \n\t ",
    "emoji": "🙂🙃🚗" * 400,
    "right to left": "الصورة تظهر كلبا بنيا يجلس على مقعد خشبي بجانب دراجة حمراء " * 30,
    "no spaces": "狗" * 20_000,
    "long": "a red star . " * 1_600,
    "marks": "[BOS] [EOS] [PAD] <|endoftext|>",
    "controls": "a\x00b\x07c\u202e\ufeff",
}


@pytest.mark.parametrize("over_length", ["truncate", "split"])
@pytest.mark.parametrize("fact", ODD.values(), ids=ODD)
def test_odd_facts_get_a_finite_score_within_the_scale(clip: Clip, fact: str, over_length: str) -> None:
    scorer = ClipScorer(clip, over_length=over_length)  # type: ignore[arg-type]
    (score,) = scores(scorer, one((fact, "a star ."), (fact,)))
    assert score.chosen[0] == score.rejected[0]
    assert abs(score.chosen[0]) <= clip.scale * (1 + 1e-6)


def test_three_hundred_facts_are_all_scored(scorer: ClipScorer) -> None:
    facts = tuple(f"a {colour} star {'. ' * n}" for n in range(100) for colour in ("red", "blue", "green"))
    (score,) = scores(scorer, one(facts))
    assert len(score.chosen) == 300


class Broken(Drawn):
    """Images of which one is not what its bytes say."""

    def __init__(self, bad: str, data: bytes) -> None:
        super().__init__()
        self._bad, self._data = bad, data

    def open(self, sha256: str) -> Image.Image:
        return decode(self._data, max_pixels=1_000_000) if sha256 == self._bad else super().open(sha256)


def png_bomb(side: int) -> bytes:
    """Return the head of a PNG that says it is `side` × `side`."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 9) + b"IDAT" + zlib.compress(b"")[:8] + b"0" * 9


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png_bomb(2_000), "too many pixels: 2000 × 2000, at most 1000000"),
        (png_bomb(30_000), "exceeds limit"),
        (b"no image at all", "cannot identify"),
        (b"", "cannot identify"),
    ],
    ids=["large", "bomb", "text", "nothing"],
)
def test_an_image_that_does_not_decode_is_told_with_its_preference(
    clip: Clip, data: bytes, says: str
) -> None:
    wanted = items(10)
    images = Broken(wanted[7][0].image, data)
    with pytest.raises(HardnessError, match=rf"image {wanted[7][0].image[:12]}… of preference p6 .*{says}"):
        list(ClipScorer(clip, batch=2).score(wanted, images))


def test_an_image_that_is_not_there_is_told(clip: Clip) -> None:
    class Empty:
        def open(self, sha256: str) -> Image.Image:
            raise KeyError(sha256)

    with pytest.raises(HardnessError, match="of preference p cannot be used"):
        list(ClipScorer(clip).score([one(("a star .",))], Empty()))


def test_features_that_are_not_finite_are_told(tiny_clip: Path) -> None:
    clip = load_clip("local", str(tiny_clip), device="cpu")
    with torch.no_grad():
        clip.model.token_embedding.weight[6] = float("nan")  # "small"
    scorer = ClipScorer(clip)
    with pytest.raises(HardnessError, match="fact 'a small star' of preference p has no finite feature in"):
        scores(scorer, one(("a star .", "a small star")))
    with torch.no_grad():
        clip.model.visual.proj[0] = float("inf")
    with pytest.raises(HardnessError, match=r"image 0{12}… of preference p has no finite feature in float32"):
        scores(scorer, one(("a star .",)))


@pytest.mark.parametrize(("precision", "near"), [("float16", 0.02), ("bfloat16", 0.2)])
def test_half_precision_is_near_and_is_kept(
    tiny_clip: Path, scorer: ClipScorer, precision: str, near: float
) -> None:
    half = load_clip("local", str(tiny_clip), device="cpu", precision=precision)  # type: ignore[arg-type]
    assert half.model.transformer.resblocks[0].mlp.c_fc.weight.dtype == half.dtype
    assert half.model.ln_final.weight.dtype == torch.float32
    wanted = items(6)
    for a, b in zip(scores(ClipScorer(half), *wanted), scores(scorer, *wanted), strict=True):
        assert a.chosen == pytest.approx(b.chosen, abs=near)
        assert a.chosen != b.chosen


def test_a_preference_without_facts_has_no_scores(scorer: ClipScorer) -> None:
    (score,) = scores(scorer, (Preference("p", key(3), "?", "", ""), Facts("p", (), ("a star .",))))
    assert score.chosen == ()
    assert len(score.rejected) == 1
