"""Stage `facts` with real vLLM in this process: the splitter, its fallback, equal bytes from equal work."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
import yaml
from dog_llama import write_dog_llama
from PIL import Image

from dama.errors import ModelError
from dama.hardness.cache import read_facts
from dama.hardness.rules import facts_of
from dama.spec.load import parse
from dama.spec.run import RunSpec
from dama.stages import data, facts
from dama.stages.base import plan, run_stage
from dama.stages.freeze import freeze
from dama.storage.commit import read_commit
from dama.storage.local import LocalStore

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

STAGES = (data.STAGE, facts.STAGE)
ODD = {
    "plain": "A dog runs.",
    "empty-looking": "🙂🙂🙂",
    "right to left": "כלב חום רץ מימין.",
    "300 facts": " ".join(f"Dog {number} runs." for number in range(300)),
    "20,000 characters": ("A very long response. " * 1000)[:20_000],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    return write_dog_llama(tmp_path_factory.mktemp("dog"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 90, 20)).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    lines = [
        {"image": "a.png", "prompt": f"What is {name}?", "chosen": response, "rejected": "A cat sleeps."}
        for name, response in ODD.items()
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run_file(rows: Path, model: Path, store: Path, **limits: int) -> RunSpec:
    engine = {"engine": "vllm", "model": {"kind": "local", "path": str(model)}, "dtype": "float32", **limits}
    text = yaml.safe_dump(
        {
            "name": "test",
            "model": {"kind": "hub", "id": "owner/name", "revision": "a0" * 20},
            "data": {"kind": "jsonl", "uri": str(rows)},
            "hardness": {"facts": engine},
            "storage": {"uri": str(store)},
        }
    )
    return freeze(parse(text, folder=rows.parent))


def run(spec: RunSpec) -> tuple[Path, dict[str, object]]:
    planned = plan(spec, STAGES)
    for one in planned.values():
        run_stage(spec, one, planned)
    store = Path(spec.storage.uri)
    commit = read_commit(LocalStore(store), planned["facts"].prefix)
    assert commit is not None
    (part,) = commit.parts
    return (store / planned["facts"].prefix / part).parent, dict(commit.meta)


def test_facts_of_odd_responses_and_equal_bytes_in_another_place(
    rows: Path, model: Path, tmp_path: Path
) -> None:
    folder, meta = run(run_file(rows, model, tmp_path / "one"))
    found = dict(zip(ODD, read_facts(folder), strict=True))
    for name in ("plain", "right to left", "300 facts"):
        assert found[name].chosen == ("Dog",), name
        assert found[name].rejected == ("Dog",)
        assert found[name].flags == ()
    assert found["empty-looking"].flags == ("chosen:no-facts",)
    long = found["20,000 characters"]
    assert long.flags == ("chosen:fallback",), "it does not fit into 8192 tokens of a byte each"
    assert long.chosen == facts_of(ODD["20,000 characters"])
    splitter = meta["splitter"]
    assert isinstance(splitter, dict)
    assert splitter["instruction"] == 1
    assert len(splitter["model"]["digest"]) == 64
    assert meta["flags"] == {"chosen:fallback": 1, "chosen:no-facts": 1}
    _, again = run(run_file(rows, model, tmp_path / "two"))
    parts = [
        sorted(path.relative_to(tmp_path / place) for path in (tmp_path / place).rglob("*.parquet"))
        for place in ("one", "two")
    ]
    assert parts[0] == parts[1]
    assert all(
        (tmp_path / "one" / part).read_bytes() == (tmp_path / "two" / part).read_bytes() for part in parts[0]
    )
    assert again == meta


def test_a_model_that_changed_after_freezing_is_refused(rows: Path, model: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    spec = run_file(rows, copy, tmp_path / "store")
    (copy / "generation_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"hardness\.facts\.model: the model in .* changed since the run"):
        run(spec)
