"""Sections of a Markdown text, each with the path of headings above it."""

import re
from collections.abc import Iterator

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*\Z")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NOT_A_TITLE = re.compile(r"\s*\Z|\t| {4}| {0,3}(?:[-*+>]|\d+[.)])(?:\s|\Z)")


def markdown_sections(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give (headings above and including its own, text with its heading line) for each section that has a body.

    Headings are those of CommonMark, ``# …`` and underlined with ``===`` or ``---``, outside fenced code. Front matter
    between ``---`` lines at the top is metadata and left out.
    """
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    body_from = 0  # index in `lines` of the first line after the section's heading

    def section() -> Iterator[tuple[tuple[str, ...], str]]:
        if any(line.strip() for line in lines[body_from:]):
            yield tuple(title for _, title in path if title), "\n".join(lines)

    fence = ""
    for line in _without_front_matter(text.split("\n")):
        opened = _FENCE.match(line)
        if opened and not fence:
            fence = opened.group(1)
        elif fence:
            if opened and opened.group(1).startswith(fence) and not line[opened.end() :].strip():
                fence = ""
        elif heading := _ATX.match(line):
            yield from section()
            path = _below(path, len(heading.group(1)), heading.group(2) or "")
            lines, body_from = [line], 1
            continue
        elif (underline := _SETEXT.match(line)) and _is_title(lines, body_from):
            title = lines.pop()
            yield from section()
            path = _below(path, 1 if underline.group(1)[0] == "=" else 2, title.strip())
            lines, body_from = [title, line], 2
            continue
        lines.append(line)
    yield from section()


def _without_front_matter(lines: list[str]) -> list[str]:
    if lines[0].rstrip() == "---":
        for at, line in enumerate(lines[1:], start=1):
            if line.rstrip() in ("---", "..."):
                return lines[at + 1 :]
    return lines


def _is_title(lines: list[str], body_from: int) -> bool:
    """Say whether the last line is a paragraph of one line, so that an underline makes it a heading."""
    if len(lines) <= body_from or _NOT_A_TITLE.match(lines[-1]):
        return False
    return len(lines) - 1 == body_from or not lines[-2].strip()


def _below(path: list[tuple[int, str]], level: int, title: str) -> list[tuple[int, str]]:
    return [*((above, name) for above, name in path if above < level), (level, title)]
