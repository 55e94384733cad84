"""FlexAttention is refused where nothing could compile it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dama.errors import ToolMissing
from dama.model.compiler import require_compiler


def _program(folder: Path, name: str) -> None:
    (folder / name).write_text("")
    (folder / name).chmod(0o755)


def test_without_a_compiler_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolMissing, match=r"no C compiler.*train\.attention: sdpa"):
        require_compiler()


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_a_compiler_on_path_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _program(tmp_path, name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    require_compiler()


def test_cc_names_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(tmp_path, "tcc")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", str(tmp_path / "tcc"))
    require_compiler()
