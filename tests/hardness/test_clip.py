"""Scores by a real, tiny open_clip model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from dama.errors import HardnessError
from dama.hardness import clip
from dama.hardness.clip import ClipScorer, load_clip, tag_options, token_count
from dama.hardness.similarity import Scorer
from dama.records import Facts, PairScore, Preference


class Drawn:
    """Images by name, drawn on the spot; counts how often each is opened."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    def open(self, sha256: str) -> Image.Image:
        self.opened.append(sha256)
        shade = int(sha256, 16)
        image = Image.new("RGB", (40, 30), (shade % 256, 40, 255 - shade % 256))
        image.paste((255, 255, 0), (shade % 30, 5, shade % 30 + 9, 20))
        return image


def key(number: int) -> str:
    return f"{number:064x}"


def items(count: int) -> list[tuple[Preference, Facts]]:
    made = []
    for n in range(count):
        chosen = tuple(f"a {colour} star on the left ." for colour in ("red", "blue", "green")[: 1 + n % 3])
        rejected = (
            ("a big circle at the top .",) if n % 2 else ("a small square .", "a red star on the left .")
        )
        preference = Preference(f"p{n}", key(17 * (n // 2)), "What?", " ".join(chosen), " ".join(rejected))
        made.append((preference, Facts(f"p{n}", chosen, rejected)))
    return made


@pytest.fixture(scope="module")
def scorer(tiny_clip: Path) -> ClipScorer:
    torch.set_num_threads(2)
    return ClipScorer("local", str(tiny_clip), device="cpu")


def test_scores_are_scaled_cosines_one_a_fact(scorer: ClipScorer, tiny_clip: Path) -> None:
    import open_clip

    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tiny_clip}")
    model.eval()
    tokenize = open_clip.get_tokenizer(f"local-dir:{tiny_clip}")
    wanted = items(6)
    kept: Scorer = scorer  # the protocol that any other scorer keeps
    for (preference, facts), score in zip(wanted, kept.score(wanted, Drawn()), strict=True):
        assert score.id == preference.id
        assert score.flags == ()
        with torch.inference_mode():
            image = model.encode_image(transform(Drawn().open(preference.image))[None])[0].double()
            for texts, found in ((facts.chosen, score.chosen), (facts.rejected, score.rejected)):
                assert len(found) == len(texts)
                for text, one in zip(texts, found, strict=True):
                    fact = model.encode_text(tokenize([text]))[0].double()
                    cosine = float(image @ fact / (image.norm() * fact.norm()))
                    assert one == pytest.approx(float(model.logit_scale.exp()) * cosine, abs=1e-4)


def test_scores_do_not_depend_on_the_company(tiny_clip: Path, scorer: ClipScorer) -> None:
    wanted = items(9)
    alone = list(ClipScorer("local", str(tiny_clip), device="cpu", batch=1, chunk=1).score(wanted, Drawn()))
    by_three = list(
        ClipScorer("local", str(tiny_clip), device="cpu", batch=2, chunk=3).score(wanted, Drawn())
    )
    for together, one, three in zip(scorer.score(wanted, Drawn()), alone, by_three, strict=True):
        assert together.id == one.id == three.id
        assert together.chosen == pytest.approx(one.chosen, abs=1e-4)
        assert together.rejected == pytest.approx(three.rejected, abs=1e-4)


def test_every_distinct_image_is_opened_once(tiny_clip: Path) -> None:
    images = Drawn()
    list(ClipScorer("local", str(tiny_clip), device="cpu", batch=2, chunk=3).score(items(10), images))
    assert sorted(images.opened) == [key(17 * n) for n in range(5)]


def test_what_is_remembered_is_bounded(tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "REMEMBERED", 2)
    images = Drawn()
    scorer = ClipScorer("local", str(tiny_clip), device="cpu", chunk=4)
    scores = list(scorer.score(items(10), images))
    assert len(scores) == 10
    assert len(scorer._images) <= 2
    assert len(scorer._texts) <= 2


def test_a_chunk_at_a_time_is_drawn(tiny_clip: Path) -> None:
    drawn = []

    def stream() -> object:
        for item in items(10):
            drawn.append(item[0].id)
            yield item

    scores = ClipScorer("local", str(tiny_clip), device="cpu", chunk=4).score(stream(), Drawn())  # type: ignore[arg-type]
    assert next(scores).id == "p0"
    assert len(drawn) == 4


def test_equal_facts_get_equal_scores(scorer: ClipScorer) -> None:
    preference = Preference("p", key(3), "?", "", "")
    score = next(scorer.score([(preference, Facts("p", ("a star .", "a star ."), ("a star .",)))], Drawn()))
    assert score.chosen == (score.rejected[0], score.rejected[0])


LONG = "a small red star at top on the left"  # nine words, eleven tokens with start and end


def test_an_over_length_fact_is_cut_and_flagged(scorer: ClipScorer) -> None:
    facts = Facts("p", ("a star .",), (LONG, "a red star"))
    score = next(scorer.score([(Preference("p", key(3), "?", "", ""), facts)], Drawn()))
    assert isinstance(score, PairScore)
    assert score.flags == ("rejected:truncated",)
    assert token_count(scorer._tokenizer, LONG) == 11


def test_an_over_length_fact_is_refused_when_asked(tiny_clip: Path) -> None:
    scorer = ClipScorer("local", str(tiny_clip), device="cpu", over_length="refuse")
    fits = Facts("p", (LONG.removesuffix(" left"),), ("a star .",))
    assert next(scorer.score([(Preference("p", key(3), "?", "", ""), fits)], Drawn())).flags == ()
    with pytest.raises(HardnessError, match="preference q has a chosen fact of 11 tokens; wanted at most 10"):
        next(scorer.score([(Preference("q", key(3), "?", "", ""), Facts("q", (LONG,), ("a",)))], Drawn()))


def test_tokens_of_open_clips_own_tokenizer_are_counted() -> None:
    import open_clip

    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    assert token_count(tokenizer, "a red star") == int((tokenizer(["a red star"]) != 0).sum())


def test_openai_weights_get_their_own_activation() -> None:
    assert tag_options("ViT-L-14-336", "openai") == {"pretrained": "openai", "force_quick_gelu": True}
    assert tag_options("ViT-B-32", "laion2b_s34b_b79k")["force_quick_gelu"] is False


def test_unknown_models_and_tags_are_told_with_the_known_ones() -> None:
    with pytest.raises(
        HardnessError, match=r"no weights 'nope' for model 'ViT-L-14-336'; wanted one of: openai"
    ):
        load_clip("ViT-L-14-336", "nope", "cpu")
    with pytest.raises(HardnessError, match="no model of that name"):
        load_clip("ViT-Nope", "openai", "cpu")


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip, tmp_path / "copy"))


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "open_clip_model.safetensors").rename(folder / "model.safetensors")
    torch.save({}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(HardnessError, match="pickled weights can run code and are refused"):
        load_clip("local", str(folder), "cpu")


def test_a_pickle_beside_safetensors_is_never_opened(folder: Path) -> None:
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"not even a pickle")
    assert load_clip("local", f"file://{folder}", "cpu")[0] is not None


def test_code_of_a_tokenizer_is_refused(folder: Path) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    path.write_text(json.dumps(config))
    with pytest.raises(HardnessError, match="run code"):
        load_clip("local", str(folder), "cpu")


@pytest.mark.parametrize("text", ["{", "[]", '{"model_cfg": 3}', '{"model_cfg": {}}'])
def test_a_broken_config_is_told(folder: Path, text: str) -> None:
    (folder / "open_clip_config.json").write_text(text)
    with pytest.raises(HardnessError, match="is no open_clip config"):
        load_clip("local", str(folder), "cpu")


def test_an_incomplete_folder_is_told(folder: Path) -> None:
    data = (folder / "open_clip_model.safetensors").read_bytes()
    (folder / "open_clip_model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(HardnessError, match="does not load"):
        load_clip("local", str(folder), "cpu")
    (folder / "open_clip_config.json").unlink()
    with pytest.raises(HardnessError, match=r"no open_clip_config\.json"):
        load_clip("local", str(folder), "cpu")
