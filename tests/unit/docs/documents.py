"""Reads the documentation: its sections, tables and fenced blocks."""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CELL_END = re.compile(r"(?<!\\)\|")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text and the line of the document that the text starts in."""

    language: str
    text: str
    line: int


def read(name: str) -> str:
    """The document ``name``, such as ``docs/reference.md``."""
    return (ROOT / name).read_text(encoding="utf-8")


def list_blocks(text: str, language: str) -> list[Block]:
    """The fenced blocks of ``text`` that are in ``language``."""
    blocks = [Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1) for found in _FENCE.finditer(text)]
    return [block for block in blocks if block.language == language]


def list_sections(text: str, level: int = 2) -> dict[str, str]:
    """The text below each heading of ``level``, up to the next of the same level or above."""
    # What looks like a heading in a fenced block is a comment.
    blank = _FENCE.sub(lambda found: re.sub(r"^#", "-", found[0], flags=re.MULTILINE), text)
    heads = list(re.finditer(rf"^(#{{1,{level}}}) (.*)$", blank, re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head[2]: text[head.end() : end] for head, end in zip(heads, ends, strict=True) if len(head[1]) == level}


def list_tables(text: str) -> list[list[dict[str, str]]]:
    """Each table in ``text``, as its rows: a cell by the title of its column; escaped bars are bars again."""
    tables: list[list[dict[str, str]]] = []
    titles: list[str] = []
    for line in _FENCE.sub("", text).splitlines():
        if not line.startswith("|"):
            titles = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line)[1:-1]]
        if not titles:
            titles = cells
            tables.append([])
        elif set(line) - set("|- "):
            tables[-1].append(dict(zip(titles, cells, strict=True)))
    return tables


def read_table(text: str, title: str) -> dict[str, dict[str, str]]:
    """The rows of the one table in ``text`` whose first column is called ``title``, by their first cell."""
    (table,) = [rows for rows in list_tables(text) if next(iter(rows[0])) == title]
    return {unquote(row[title]): row for row in table}


def unquote(cell: str) -> str:
    """A cell without the backquotes around it."""
    return cell.strip("`")
