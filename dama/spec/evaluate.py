"""What is measured before and after."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dama.spec.base import Digest, Fraction, Part, PositiveInt
from dama.spec.judge import JudgeSpec
from dama.spec.places import SourceUri


class MiniatureBenchmark(Part):
    """Captions of held-out scenes of the miniature world, judged by the known truth."""

    kind: Literal["miniature"] = "miniature"
    """Says that this is the miniature world's benchmark."""
    scenes: PositiveInt = 1000
    """Held-out scenes that are captioned."""


class _Published(Part):
    data: SourceUri
    """Folder with the published files: a path, file://, s3:// or `hf://owner/name@revision`."""
    images: SourceUri | None = None
    """Folder with the images, where they are not below `data`."""
    mode: Literal["robust", "official"] = "robust"
    """Which figures lead: as the authors meant them, or as their script counts, quirks included."""
    digest: Digest | None = None
    """sha256 over the files of `data`; filled in when the run is frozen, refused when it differs."""


class AmberBenchmark(_Published):
    """AMBER: captions and yes-or-no questions about 1,004 images; no judge."""

    kind: Literal["amber"] = "amber"
    """Says that this is AMBER."""
    part: Literal["all", "generative", "discriminative", "existence", "attribute", "relation"] = "all"
    """Which of its questions are asked."""
    nouns: Literal["lemma", "nltk-spacy"] = "lemma"
    """Who finds nouns and synonyms: rules that need no download, or the script's own tools if installed."""


class ObjectHalBenchBenchmark(_Published):
    """Object HalBench: objects in 300 descriptions of COCO images."""

    kind: Literal["object-halbench"] = "object-halbench"
    """Says that this is Object HalBench."""
    judge: JudgeSpec | None = None
    """Who lists the objects of a description; words are matched with synonyms if left out."""


class _Judged(_Published):
    judge: JudgeSpec
    """Who judges."""


class MMHalBenchmark(_Judged):
    """MMHal-Bench: 96 questions, rated 0 to 6 by a judge."""

    kind: Literal["mmhal"] = "mmhal"
    """Says that this is MMHal-Bench."""


class LlavaBenchBenchmark(_Judged):
    """LLaVA-Bench, COCO or In-the-Wild: answers graded beside GPT-4's by a judge."""

    kind: Literal["llava-bench"] = "llava-bench"
    """Says that this is LLaVA-Bench."""


class MMVetBenchmark(_Judged):
    """MM-Vet: 218 questions that take six abilities, graded 0 to 1 by a judge."""

    kind: Literal["mm-vet"] = "mm-vet"
    """Says that this is MM-Vet."""


PublishedBenchmark = (
    AmberBenchmark | ObjectHalBenchBenchmark | MMHalBenchmark | LlavaBenchBenchmark | MMVetBenchmark
)
"""A benchmark that people publish, with its files in a folder."""
BenchmarkSpec = Annotated[MiniatureBenchmark | PublishedBenchmark, Field(discriminator="kind")]


class EvaluateSpec(Part):
    """Answers are generated greedily and scored by each benchmark."""

    benchmarks: tuple[BenchmarkSpec, ...] = ()
    """What is asked; empty means that nothing is measured."""
    max_new_tokens: PositiveInt = 512
    """An answer ends there at the latest."""
    batch: PositiveInt = 16
    """Questions answered at a time by transformers; vLLM takes a shard at once."""
    engine: Literal["transformers", "vllm"] = "transformers"
    """Who generates: transformers, on the CPU too, or vLLM's offline engine, many times faster on a GPU."""
    gpu_memory: Fraction = 0.9
    """vLLM: share of a GPU's memory that the engine takes while it works."""
    tensor_parallel: PositiveInt = 1
    """vLLM: GPUs that a model is spread over."""
