"""Nouns of a closed vocabulary: lemmas, what WordNet does otherwise, and words that are not only nouns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dama.benchmarks.nouns import LemmaMatch, lemma, tokens_of

WORDS = """
    dog man child bus glass knife box bench dish berry potato vase leave sunglasses people tennis streetlamp
    can watch sink light hot painting TV air-conditioning tie
"""
VOCABULARY = frozenset(WORDS.split())


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("dogs", "dog"),
        ("men", "man"),
        ("children", "child"),
        ("buses", "bus"),
        ("bus", "bus"),
        ("glasses", "glass"),
        ("knives", "knife"),
        ("boxes", "box"),
        ("benches", "bench"),
        ("dishes", "dish"),
        ("berries", "berry"),
        ("potatoes", "potato"),
        ("vases", "vase"),
        ("leaves", "leave"),
        ("sunglasses", "sunglasses"),
        ("people", "people"),
        ("tennis", "tennis"),
        ("streetlamps", "streetlamp"),
        ("Dogs", "dog"),
        ("TV", "TV"),
        ("unicorns", "unicorns"),
    ],
)
def test_a_form_is_reduced_to_the_word_of_the_vocabulary(token: str, found: str) -> None:
    assert lemma(token, VOCABULARY, wordnet=False) == found


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("dogs", "dog"),
        ("glasses", "glass"),
        ("Dogs", "Dogs"),
        ("men", "men"),
        ("vases", "vas"),
        ("leaves", "leaf"),
        ("sunglasses", "sunglass"),
        ("streetlamps", "streetlamps"),
        ("TVs", "TVs"),
    ],
)
def test_wordnets_faults_are_kept_where_asked_for(token: str, found: str) -> None:
    assert lemma(token, VOCABULARY, wordnet=True) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A dog can be seen.", ["dog"]),
        ("You can see that it can also be a man.", ["man"]),
        ("A can of beer, two cans, and a trash can.", ["can", "can", "can"]),
        ("It is watching him watch TV.", ["watch", "TV"]),
        ("A man watches the sink; he watches two watches.", ["man", "sink", "watch"]),
        ("The bus might sink to light the dog.", ["bus", "dog"]),
        ("A hot dog.", ["dog"]),
        ("A man is painting a painting.", ["man", "painting"]),
        ("They tie a tie.", ["tie"]),
        ("", []),
    ],
)
def test_words_that_are_not_only_nouns_go_by_what_stands_around_them(text: str, found: list[str]) -> None:
    assert LemmaMatch(VOCABULARY).nouns(text) == found


def test_tokens_keep_hyphens_and_punctuation() -> None:
    assert tokens_of("An air-conditioning, the dog's.") == [
        "An",
        "air-conditioning",
        ",",
        "the",
        "dog",
        "s",
        ".",
    ]


def test_similar_words_are_equal_words() -> None:
    match = LemmaMatch(VOCABULARY)
    assert match.similar("dog", "dog")
    assert not match.similar("dog", "man")
    assert match.name == "lemma match"


def test_the_scripts_own_tools_are_not_installed_on_the_quiet(tmp_path: Path) -> None:
    (tmp_path / "nltk.py").write_text("raise ImportError('no nltk here')")
    code = (
        "from dama.benchmarks.tagged_nouns import TaggedNouns\n"
        "from dama.errors import ToolMissing\n"
        "try: TaggedNouns()\n"
        "except ToolMissing as error: print(error)"
    )
    assert "no nltk here" in _beside(tmp_path, code)


def test_the_scripts_own_tools_are_used_as_the_script_uses_them(tmp_path: Path) -> None:
    """A stand-in for nltk and spacy: every word is a noun unless it is short, vectors are word lengths."""
    (tmp_path / "nltk").mkdir()
    (tmp_path / "nltk" / "__init__.py").write_text(
        "def word_tokenize(text): return text.split()\n"
        "def pos_tag(words): return [(word, 'NNS' if len(word) > 3 else 'DT') for word in words]\n"
    )
    (tmp_path / "nltk" / "stem.py").write_text(
        "class WordNetLemmatizer:\n    def lemmatize(self, word): return word.rstrip('s')\n"
    )
    (tmp_path / "spacy.py").write_text(
        "class Doc:\n"
        "    def __init__(self, text): self.size = len(text)\n"
        "    def similarity(self, other): return min(self.size, other.size) / max(self.size, other.size)\n"
        "def load(name):\n    assert name == 'en_core_web_lg'\n    return Doc\n"
    )
    code = (
        "from dama.benchmarks.tagged_nouns import TaggedNouns\n"
        "found = TaggedNouns()\n"
        "print(found.nouns('two dogs and Cats'), found.name, found.similar('abcd', 'efghi'),"
        " found.similar('a' * 5, 'b' * 6), found.similar('abcde', 'abcde'))"
    )
    assert _beside(tmp_path, code) == (
        "['dog', 'Cat'] nltk + spacy en_core_web_lg, similarity > 0.8 False True True\n"
    )


def _beside(folder: Path, code: str) -> str:
    """Return what `code` prints where `folder` comes first in the search for packages."""
    text = f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
