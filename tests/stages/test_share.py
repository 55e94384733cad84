"""A process's share of the shards: what is typed, what a pod's number says, and what is refused."""

from __future__ import annotations

import pytest

from dama.errors import SpecError
from dama.stages.share import INDEX, Share


@pytest.mark.parametrize("of", [1, 2, 5, 13])
def test_shares_are_all_shards_once(of: int) -> None:
    for count in (0, 1, 7, 13):
        shares = [list(Share(index, of).shards(count)) for index in range(of)]
        assert sorted(shard for share in shares for shard in share) == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_is_read_as_it_is_written() -> None:
    assert Share.parse("3/4") == Share(3, 4)
    assert str(Share.parse(" 0/16 ")) == "0/16"
    assert Share.parse("0/1").whole
    assert not Share.parse("0/2").whole


@pytest.mark.parametrize(
    "text", ["4/4", "-1/2", "x", "", "1", "1/0", "0/0", "1/2/3", "1.0/2", "٠/٢", "0/9999999"]
)
def test_what_is_no_share_is_refused_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(
        SpecError, match=r"--shard: '.*'; wanted i/n .* counted from 0: --shard 0/4"
    ) as caught:
        Share.parse(text)
    assert caught.value.exit_code == 2


def test_a_pods_number_stands_in() -> None:
    assert Share.of_pod({}, 4).whole
    assert Share.of_pod({INDEX: "0"}, 1).whole
    assert Share.of_pod({INDEX: "3"}, 4) == Share(3, 4)


@pytest.mark.parametrize(("index", "pods"), [("4", 4), ("1", 1), ("-1", 4), ("", 4), ("two", 4)])
def test_a_pod_that_is_none_of_them_is_refused(index: str, pods: int) -> None:
    with pytest.raises(
        SpecError, match=rf"{INDEX}: '{index}'; wanted a number below {pods}, .*preprocess_pods"
    ):
        Share.of_pod({INDEX: index}, pods)
