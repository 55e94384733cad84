"""A page that is whole: every element closed, every link inside, no script, nothing from elsewhere."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

VOID = {"meta", "link", "img", "br"}


class Balanced(html.parser.HTMLParser):
    """Checks that every element is closed where it should be; collects ids, addresses and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has a handler {name}"
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "srcset", "data", "action", "xlink:href"):
                self.addresses.append(str(value))


def parsed(page: Path) -> Balanced:
    parser = Balanced()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser


def check_page(page: Path) -> Balanced:
    found = parsed(page)
    assert len(found.ids) == len(set(found.ids))
    assert all(a.startswith(("data:", "#")) for a in found.addresses)
    assert "script" not in found.tags
    assert {a[1:] for a in found.addresses if a.startswith("#")} <= set(found.ids)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\((?!#)", text)
    return found
