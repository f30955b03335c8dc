"""A page of documentation as its readers see it: prose, blocks of code, headings and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["Block", "anchors", "blocks", "links", "prose"]

_FENCE = re.compile(r"^```([a-z]*|\{[a-z-]+\})(?: [^\n]*)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """One fenced block; ``before`` is the prose between the block before it and this one.

    The language of a block for Sphinx is the name of its directive in braces, such as ``{include}``.
    """

    language: str
    text: str
    before: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    end = 0
    text = page.read_text()
    for match in _FENCE.finditer(text):
        found.append(Block(match[1], match[2], text[end : match.start()]))
        end = match.end()
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """The targets of the page's links and images."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The fragments under which the page's headings can be linked to."""
    return {_slug(heading) for heading in _HEADING.findall(prose(page))}


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
