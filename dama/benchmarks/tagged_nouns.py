"""Nouns and near-synonyms as AMBER's own script finds them: NLTK's tagger and lemmatizer, spaCy's vectors.

Only for those who ask for it (`nouns: nltk-spacy`): the packages and their data must be there already, and
nothing is downloaded from here. The data are NLTK's `punkt_tab`, `averaged_perceptron_tagger_eng` and
`wordnet`, and spaCy's model `en_core_web_lg`.
"""

from __future__ import annotations

from typing import Any

from dama.errors import ToolMissing

SIMILAR = 0.8
"""AMBER's `--similarity_score`: cosine of the words' vectors above which they count as synonyms."""
_MODEL = "en_core_web_lg"


class TaggedNouns:
    """Nouns by NLTK, synonyms by spaCy; ToolMissing says what is not installed."""

    def __init__(self) -> None:
        self.name = f"nltk + spacy {_MODEL}, similarity > {SIMILAR}"
        try:
            import nltk
            import spacy
            from nltk.stem import WordNetLemmatizer

            self._vectors: Any = spacy.load(_MODEL)
            self._nltk, self._lemmatizer = nltk, WordNetLemmatizer()
            self.nouns("A dog is here.")
        except (ImportError, LookupError, OSError) as error:
            raise ToolMissing(
                f"AMBER's own noun finder is not installed ({' '.join(str(error).split())[:120]})",
                wanted="nltk with punkt_tab, averaged_perceptron_tagger_eng and wordnet, "
                f"and spacy with {_MODEL}",
                do=f"`pip install nltk spacy`, `python -m spacy download {_MODEL}` and nltk.download, "
                "or leave out nouns: nltk-spacy",
            ) from error
        self._words: dict[str, Any] = {}
        self._similar: dict[tuple[str, str], bool] = {}

    def nouns(self, text: str) -> list[str]:
        """Return the lemmas of everything tagged as a noun."""
        tagged = self._nltk.pos_tag(self._nltk.word_tokenize(text))
        return [str(self._lemmatizer.lemmatize(word)) for word, tag in tagged if tag.startswith("NN")]

    def similar(self, word: str, other: str) -> bool:
        """Say whether the cosine of both vectors is above 0.8."""
        pair = (word, other)
        if pair not in self._similar:
            self._similar[pair] = self._vector(word).similarity(self._vector(other)) > SIMILAR
        return self._similar[pair]

    def _vector(self, word: str) -> Any:  # noqa: ANN401 - a spaCy document
        if word not in self._words:
            self._words[word] = self._vectors(word)
        return self._words[word]
