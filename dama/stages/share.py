"""A process's share of the work that falls into shards: the i-th of n, or all of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dama.errors import Problem, SpecError

INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job: this pod's number, from 0."""
_WANTED = "i/n with 0 <= i < n, such as 0/4 for the first of four"


@dataclass(frozen=True)
class Share:
    """Every `of`-th shard, beginning with `index`."""

    index: int = 0
    of: int = 1

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"

    @property
    def whole(self) -> bool:
        """Whether this is all of the work."""
        return self.of == 1

    def shards(self, count: int) -> range:
        """Return the shards of `count` that are this process's to make."""
        return range(self.index, count, self.of)

    @classmethod
    def parse(cls, text: str) -> Share:
        """Read `i/n` as it is typed after --shard; SpecError when it is none."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if found is None or not int(found[1]) < int(found[2]):
            do = "processes are counted from 0: --shard 0/4, 1/4, 2/4, 3/4"
            raise SpecError([Problem("--shard", f"'{text}'", wanted=_WANTED, do=do)], "command line")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_pod(cls, environ: Mapping[str, str], pods: int) -> Share:
        """Return the share of a pod of an Indexed Job of `pods` pods, all of the work outside of one.

        Raises SpecError when the pod's number is not one of theirs: the shards of a pod that does not know
        of all others would be made twice, or never.
        """
        text = environ.get(INDEX)
        if text is None:
            return cls()
        if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or int(text) >= pods:
            wanted = f"a number below {pods}, which is cluster.preprocess_pods"
            do = f"set cluster.preprocess_pods to the Job's completions, give --shard, or unset {INDEX}"
            raise SpecError([Problem(INDEX, f"'{text}'", wanted=wanted, do=do)], "environment")
        return cls(int(text), pods)
