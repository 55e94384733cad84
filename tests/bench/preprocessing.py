"""What preprocessing costs besides its engines: memory and time at 83,000 preferences, and the store.

    python tests/bench/preprocessing.py [--preferences 20000 83000] [--store-preferences 4096] [--repeats 3]

Chain: data -> facts (rules) -> scores (a scorer that only hashes) -> alpha over synthetic preferences in
RLAIF-V's columns, four a picture, with some 300,000 facts at 83,000. Each stage is a process of its own, as
under `dama preprocess`; its peak memory is that of the whole process, packages included.

Store: facts, scores (a small CLIP with random weights) and alpha, over a local folder and over a real S3
server on this machine, in turn; what is compared is each process's whole time.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from s3_process import s3_server
from table import Target, heading, interleaved, ratios, spread, table

from dama.records import Facts, PairScore, Preference
from dama.spec.load import load
from dama.stages import alpha, data, facts, scores
from dama.stages.base import Stage, StageContext, plan, run_stage
from dama.stages.shards import InShards

MEMORY = Target("most", 1.2)
LINEAR = Target("most", 4.2)
PACE = Target("least", 3000)
STORE = Target("most", 0.10)
IMAGE_SHARED_BY = 4
_THINGS = (
    "cat",
    "dog",
    "bicycle",
    "red bus",
    "wooden table",
    "man in a hat",
    "woman",
    "kite",
    "bowl of fruit",
)
_PLACES = ("on the left", "in the background", "under the tree", "beside the window", "near the road")


class Hashed:
    """A scorer that costs nothing: a fact's score comes from its text."""

    def score(self, items: Iterable[tuple[Preference, Facts]], images: object) -> Iterator[PairScore]:
        """Yield scores between 15 and 31."""
        for preference, split in items:
            yield PairScore(preference.id, _hashed(split.chosen), _hashed(split.rejected))

    def account(self) -> dict[str, Any]:
        """Say who it is."""
        return {"scorer": {"engine": "hashed"}}


def _hashed(texts: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(15.0 + zlib.crc32(text.encode()) % 1600 / 100 for text in texts)


def stages(kind: str) -> tuple[Stage, ...]:
    """Return the four stages; of kind `hashed` with the scorer above, else as they are."""
    if kind != "hashed":
        return (data.STAGE, facts.STAGE, scores.STAGE, alpha.STAGE)

    def begin(context: StageContext) -> scores.Scoring:
        return scores.Scoring(context, lambda _: Hashed())

    return (data.STAGE, facts.STAGE, replace(scores.STAGE, run=InShards(begin)), alpha.STAGE)


def run_here(name: str, runfile: Path, kind: str) -> None:
    """Run one stage in this process; print what it took as JSON."""
    spec = load(runfile)
    whole = plan(spec, stages(kind))
    started = time.perf_counter()
    outcome = run_stage(spec, whole[name], whole)
    assert not outcome.reused
    print(json.dumps(time.perf_counter() - started))


@dataclass(frozen=True)
class Took:
    """What one stage's process took."""

    wall: float
    """Seconds from start to end of the process."""
    seconds: float
    """Of the stage itself, without starting python."""
    gb: float
    """Most memory of the process."""


def run_stages(runfile: Path, kind: str, names: tuple[str, ...]) -> dict[str, Took]:
    """Run stages one after the other, each a process of its own."""
    found = {}
    for name in names:
        started = time.perf_counter()
        command = [sys.executable, __file__, "--stage", name, "--runfile", str(runfile), "--kind", kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            said = child.stdout.read()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"stage {name} failed")
        wall = time.perf_counter() - started
        found[name] = Took(wall, float(said.splitlines()[-1]), usage.ru_maxrss * 1024 / 1e9)
    return found


def write_dataset(folder: Path, count: int) -> Path:
    """Write `rows.parquet` with `count` preferences; return where."""
    import pyarrow as pa
    from PIL import Image

    from dama.data.parquet import write_rows

    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(count)
    image = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
    schema = pa.schema(
        {"image": image, "question": pa.string(), "chosen": pa.string(), "rejected": pa.string()}
    )

    def answer() -> str:
        sentences = (
            f"There is a {chance.choice(_THINGS)} {chance.choice(_PLACES)}, and it is number {n} seen."
            for n in range(chance.choice((1, 1, 2, 2, 3)))
        )
        return " ".join(sentences)

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(count):
            if number % IMAGE_SHARED_BY == 0:
                buffer = io.BytesIO()
                colour = (number % 256, number // 256 % 256, number // 65536)
                Image.new("RGB", (32, 32), colour).save(buffer, "PNG")
                picture = {"bytes": buffer.getvalue(), "path": f"{number}.png"}
            yield {"image": picture, "question": "What is seen?", "chosen": answer(), "rejected": answer()}

    write_rows(folder / "rows.parquet", schema, rows())
    return folder / "rows.parquet"


def write_run(file: Path, rows: Path, clip: Path, storage: dict[str, Any]) -> Path:
    """Write a run file over the dataset; return where."""
    run = {
        "name": "bench",
        "model": {"kind": "hub", "id": "owner/name", "revision": "a0" * 20},
        "data": {"kind": "rlaif-v", "uri": str(rows)},
        "hardness": {"scorer": {"engine": "open_clip", "model": "local", "weights": str(clip)}},
        "storage": storage,
        "cluster": {"gpus": 4},
    }
    file.write_text(json.dumps(run))
    return file


def _chain(counts: list[int], repeats: int, place: Path) -> None:
    heading(
        "data -> facts (rules) -> scores (hashed) -> alpha, each stage a process of its own",
        f"{', '.join(f'{count:,}' for count in counts)} synthetic preferences, {IMAGE_SHARED_BY} a picture",
        f"{repeats} repeats in turn; whole time of the processes, starting python included",
    )
    datasets = {count: write_dataset(place / f"data-{count}", count) for count in counts}

    def run(count: int) -> dict[str, Took]:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            file = write_run(Path(folder) / "run.yaml", datasets[count], place, {"uri": "store"})
            return run_stages(file, "hashed", ("data", "facts", "scores", "alpha"))

    found = interleaved({str(count): partial(run, count) for count in counts}, repeats)
    rows = [
        [
            f"{int(count):,} {name}",
            spread([took[name].wall for took in all_took]),
            spread([int(count) / took[name].seconds for took in all_took], 0),
            spread([took[name].gb for took in all_took]),
        ]
        for count, all_took in found.items()
        for name in all_took[0]
    ]
    table(["stage", "s", "preferences/s", "peak GB"], rows)
    small, large = (found[str(count)] for count in (min(counts), max(counts)))
    more = ratios([_seconds(one) for one in large], [_seconds(one) for one in small])
    memory = [max(took.gb for took in one.values()) for one in large]
    pace = [max(counts) / one["alpha"].seconds for one in large]
    table(
        ["", "measured", ""],
        [
            ["peak GB of the chain", spread(memory), MEMORY.verdict(memory)],
            [f"time, {max(counts):,} to {min(counts):,}", spread(more), LINEAR.verdict(more)],
            ["alpha alone, preferences/s", spread(pace, 0), PACE.verdict(pace)],
        ],
    )


def _seconds(took: dict[str, Took]) -> float:
    return sum(one.wall for one in took.values())


def _store(count: int, repeats: int, place: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from clips import write_tiny_clip

    rows, clip = write_dataset(place / "store-data", count), write_tiny_clip(place / "clip")
    (place / "s3").mkdir()
    with s3_server(place / "s3") as server:
        heading(
            "The store: S3 on this machine against a local folder",
            f"{count:,} preferences, {server.program}; {repeats} repeats in turn after one to warm up",
        )
        turns = iter(range(1_000_000))

        def run(kind: str) -> dict[str, Took]:
            turn = next(turns)
            with tempfile.TemporaryDirectory(dir=place) as folder:
                storage = {"uri": "store"} if kind == "local folder" else server.storage(f"turn-{turn}")
                file = write_run(Path(folder) / "run.yaml", rows, clip, storage)
                run_stages(file, "real", ("data",))
                return run_stages(file, "real", ("facts", "scores", "alpha"))

        ways = {kind: partial(run, kind) for kind in ("local folder", "S3")}
        interleaved(ways, 1)
        found = interleaved(ways, repeats)
    names = list(found["S3"][0])
    seconds = {
        kind: {name: [took[name].wall for took in all_took] for name in names}
        for kind, all_took in found.items()
    }
    for kind, all_took in found.items():
        seconds[kind]["all three"] = [_seconds(took) for took in all_took]
    table(
        ["stage", "s, local folder", "s, S3", "share of the store"],
        [
            [name, spread(local), spread(seconds["S3"][name]), spread(_shares(seconds["S3"][name], local), 3)]
            for name, local in seconds["local folder"].items()
        ],
    )
    shares = _shares(seconds["S3"]["all three"], seconds["local folder"]["all three"])
    table(
        ["", "share", ""], [["of the stages' time that S3 takes", spread(shares, 3), STORE.verdict(shares)]]
    )


def _shares(remote: list[float], local: list[float]) -> list[float]:
    """Return what the remote store takes of a stage's time, repeat by repeat."""
    return [1 - ratio for ratio in ratios(local, remote)]


def main(arguments: list[str] | None = None) -> None:
    """Measure chain and store, or run one stage of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preferences", type=int, nargs="+", default=[20_000, 83_000])
    parser.add_argument("--store-preferences", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("chain", "store"))
    parser.add_argument("--stage")
    parser.add_argument("--runfile", type=Path)
    parser.add_argument("--kind", default="real")
    asked = parser.parse_args(arguments)
    if asked.stage:
        run_here(asked.stage, asked.runfile, asked.kind)
        return
    with tempfile.TemporaryDirectory(prefix="dama-bench-") as place:
        if asked.only != "store":
            _chain(asked.preferences, asked.repeats, Path(place))
        if asked.only != "chain":
            _store(asked.store_preferences, asked.repeats, Path(place))


if __name__ == "__main__":
    main()
