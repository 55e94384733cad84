"""Published benchmarks of a run file: their files made local, frozen by digest, opened with their judge."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dama.spec.evaluate import AmberBenchmark, BenchmarkSpec, MiniatureBenchmark, PublishedBenchmark
from dama.spec.run import RunSpec
from dama.spec.storage import StorageSpec

if TYPE_CHECKING:
    from dama.benchmarks.asking import Asker
    from dama.benchmarks.base import Benchmark

REPLIES = "replies-{}.jsonl"
"""The file of a judge's prompts and replies, by the benchmark's name."""


def benchmark_key(benchmark: BenchmarkSpec) -> dict[str, Any]:
    """Return what answers and figures depend on: not where files lie, nor how hard a judge is asked."""
    key = benchmark.model_dump(mode="json")
    if isinstance(benchmark, MiniatureBenchmark):
        return key
    if benchmark.digest is not None:
        del key["data"], key["images"]
    judge = key.get("judge")
    if judge is not None:
        key["judge"] = {name: judge[name] for name in ("model", "base_url")}
    return key


def frozen_benchmarks(spec: RunSpec) -> tuple[BenchmarkSpec, ...]:
    """Return the run's benchmarks with hub revisions as commits and the digest of their files.

    SpecError when a digest that is written already is not that of what lies there now.
    """
    from dama.data.hub import resolve_revision
    from dama.stages.freeze import same_digest

    frozen: list[BenchmarkSpec] = []
    for number, benchmark in enumerate(spec.evaluate.benchmarks):
        if isinstance(benchmark, MiniatureBenchmark):
            frozen.append(benchmark)
            continue
        if benchmark.data.startswith("hf://"):
            frozen.append(benchmark.model_copy(update={"data": resolve_revision(benchmark.data)}))
            continue
        path = f"evaluate.benchmarks.{number}.digest"
        digest = same_digest(path, benchmark.digest, _digest(benchmark, spec.storage), benchmark.data)
        frozen.append(benchmark.model_copy(update={"digest": digest}))
    return tuple(frozen)


def _digest(benchmark: PublishedBenchmark, storage: StorageSpec) -> str:
    """Return one sha256 over names and bytes of a benchmark's files and images."""
    from dama.stages.freeze import folder_digest

    if storage.scratch is not None:
        Path(storage.scratch).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dama-", dir=storage.scratch) as scratch:
        folder, images = local_folders(benchmark, storage, Path(scratch))
        digests = [folder_digest(folder), "" if images is None else folder_digest(images)]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def local_folders(
    benchmark: PublishedBenchmark, storage: StorageSpec, scratch: Path
) -> tuple[Path, Path | None]:
    """Return local folders of a benchmark's files and, where they lie elsewhere, its images; DataError."""
    from dama.data.folder import local_folder
    from dama.errors import DataError

    found: list[Path | None] = []
    for name, uri in (("data", benchmark.data), ("images", benchmark.images)):
        folder = None if uri is None else local_folder(uri, storage, scratch / f"{benchmark.kind}-{name}")
        if folder is not None and not folder.is_dir():
            raise DataError(
                f"{benchmark.kind}: {folder} is no folder",
                wanted="the folder with the benchmark's published files",
                do=f"mend its {name}",
            )
        found.append(folder)
    folder, images = found
    if folder is None:
        raise ValueError("a published benchmark has data")
    return folder, images


def open_benchmark(
    spec: PublishedBenchmark,
    folder: Path,
    images: Path | None = None,
    *,
    asker: Asker | None = None,
    partial: bool = False,
) -> Benchmark:
    """Return the benchmark that `spec` names, read from local folders; DataError for malformed files."""
    if isinstance(spec, AmberBenchmark):
        from dama.benchmarks.amber import Amber
        from dama.benchmarks.tagged_nouns import TaggedNouns

        nouns = TaggedNouns() if spec.nouns == "nltk-spacy" else None
        return Amber(folder, images=images, part=spec.part, mode=spec.mode, partial=partial, nouns=nouns)
    from dama.benchmarks.llava_bench import LlavaBench
    from dama.benchmarks.mm_vet import MMVet
    from dama.benchmarks.mmhal import MMHal
    from dama.benchmarks.object_halbench import ObjectHalBench

    kinds: dict[str, type[ObjectHalBench | MMHal | LlavaBench | MMVet]] = {
        "object-halbench": ObjectHalBench,
        "mmhal": MMHal,
        "llava-bench": LlavaBench,
        "mm-vet": MMVet,
    }
    return kinds[spec.kind](folder, asker=asker, images=images, mode=spec.mode, partial=partial)


def judge_of(
    spec: PublishedBenchmark,
    folder: Path,
    advance: Callable[[int], None] = lambda count: None,
    place: str | None = None,
) -> Asker | None:
    """Return the judge of a benchmark, its replies kept in `folder`; None where the run file names none.

    `place` is where people find the replies, where that is not the folder. JudgeError when its key is not
    set.
    """
    judge = None if isinstance(spec, AmberBenchmark) else spec.judge
    if judge is None:
        return None
    from dama.benchmarks.judge import Judge
    from dama.benchmarks.transcript import Transcript

    return Judge(judge, Transcript(folder / REPLIES.format(spec.kind), place), advance)
