"""A judge's prompt: out of the benchmark's own script, where that lies beside the data; nothing is executed.

The authors' prompts are not copied into this repository. Put their script into the data folder and the
judge is asked in their words; without it, in ours, and the result says so.
"""

from __future__ import annotations

import ast
from importlib.resources import files as resources
from typing import NamedTuple

from dama.benchmarks.files import BenchmarkFiles


def our_prompt(name: str) -> str:
    """Return the prompt in our words, kept beside this file."""
    return resources("dama.benchmarks").joinpath(f"{name}_prompt.txt").read_text(encoding="utf-8")


class JudgePrompt(NamedTuple):
    """What a judge is asked with."""

    text: str
    source: str
    """Whose words they are, for the result."""
    theirs: bool
    """Whether they are the authors'."""


def judge_prompt(
    files: BenchmarkFiles, script: str, variable: str, *, ours: str, version: str
) -> JudgePrompt:
    """Return the text that `script` assigns to `variable`, where it lies beside the data, else `ours`.

    `ours` is the name of a prompt in our words, `version` the benchmark's. DataError when the script is there
    and assigns no text.
    """
    theirs = _own_prompt(files, script, variable)
    if theirs is not None:
        return JudgePrompt(theirs, script, theirs=True)
    return JudgePrompt(our_prompt(ours), by_us(version), theirs=False)


def by_us(version: str) -> str:
    """Say in a result that the words are ours, and of which version of the benchmark."""
    return f"dama, version {version}"


def _own_prompt(files: BenchmarkFiles, script: str, variable: str) -> str | None:
    """Return the text that `script` assigns to `variable`, None without the script."""
    if files.find(script) is None:
        return None
    for node in ast.walk(_tree(files, script)):
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == variable for target in node.targets)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            return node.value.value
    raise files.malformed(script, f"assigns no text to {variable}")


def own_system_message(files: BenchmarkFiles, script: str) -> str | None:
    """Return the text of the first "system" message that `script` builds, None without the script."""
    if files.find(script) is None:
        return None
    for node in ast.walk(_tree(files, script)):
        if not isinstance(node, ast.Dict):
            continue
        pairs = {
            key.value: value.value
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
        }
        if pairs.get("role") == "system" and isinstance(pairs.get("content"), str):
            return str(pairs["content"])
    raise files.malformed(script, "builds no system message")


def _tree(files: BenchmarkFiles, script: str) -> ast.Module:
    try:
        return ast.parse(files.text(script))
    except SyntaxError as error:
        raise files.malformed(script, f"is not Python ({error.msg}, line {error.lineno})") from error
