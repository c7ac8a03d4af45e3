"""Ignore files as git reads them, byte by byte: what each rule matches, and which of several rules decides.

Follows gitignore(5) and git itself where that page is silent: a folder that is ignored is not entered, the last rule
that matches an entry decides, and a file deeper in the tree decides over one above it.

Git compares bytes. So do the regular expressions here, on text that holds one character for each byte; see ``_spell``.
"""

from __future__ import annotations

import codecs
import dataclasses
import functools
import itertools
import os
import re
import string
from collections.abc import Collection, Iterable
from typing import NamedTuple

_STAR = "[^/]*"
_ANY_FOLDERS = "(?:.*/)?"

_SPECIAL = re.compile(r"[*?\[\\]")
_CLASS = re.compile(r"\[:([^\]]*):\]")

_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, (*range(32), 127))),
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": " \t\n\r",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}
"""What git takes for each class, whatever the locale; a vertical tab and a form feed are no space to it."""


class _Piece(NamedTuple):
    """A part of a pattern.

    Attributes:
        regex: what it matches.
        literal: the one character that it stands for, if it is one.
    """

    regex: str
    literal: str = ""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of an ignore file.

    Attributes:
        pattern: regular expression of the whole of what it matches.
        ignores: whether it ignores that, or takes it back.
        by_name: whether it looks at an entry's name alone.
        only_folders: whether it matches folders only.
    """

    pattern: str
    ignores: bool
    by_name: bool
    only_folders: bool

    @functools.cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled only when it is needed: of most rules, a look at the names is enough."""
        return _compile(self.pattern)

    def matches(self, path: str, *, is_folder: bool) -> bool:
        """Whether it matches this very entry, and not only one of its folders; the path is spelt."""
        if self.only_folders and not is_folder:
            return False
        return self.regex.fullmatch(path.rpartition("/")[2] if self.by_name else path) is not None


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules of one ignore file, and what tells fast that none of them matches.

    Attributes:
        ordered: the rules, last one first.
        names: names that a rule may match.
        endings: ends of names that a rule may match.
        globs: matches the other names that a rule for names may match.
        paths: matches the other paths that a rule for paths may match.
    """

    ordered: tuple[Rule, ...]
    names: frozenset[str]
    endings: tuple[str, ...]
    globs: re.Pattern[str] | None
    paths: re.Pattern[str] | None

    def find_doubtful(self, names: Collection[str], prefix: str) -> set[str]:
        """Those of the names in one folder that a rule may match; all others are matched by none.

        Args:
            names: what is in the folder.
            prefix: the folder, relative to the ignore file, with a slash at its end; empty for the file's own folder.
        """
        found = {name for name in names if name in self.names or name.endswith(self.endings)}
        if self.globs is not None:
            matches = self.globs.fullmatch
            found.update(name for name in names if matches(name if name.isascii() else _spell(name)))
        if self.paths is not None:
            found.update(name for name in names if self.paths.fullmatch(_spell(prefix + name)))
        return found

    def covers(self, path: str) -> bool:
        """Whether the rules, taken by themselves, name a file: by its path, or else by one of the folders it is in."""
        path = _spell(path)
        folders = [path[:at] for at, character in enumerate(path) if character == "/"]
        for rule in self.ordered:
            if rule.matches(path, is_folder=False):
                return rule.ignores
        for rule in self.ordered:
            if any(rule.matches(folder, is_folder=True) for folder in folders):
                return rule.ignores
        return False


def read_rules(path: str) -> Rules | None:
    """The rules of an ignore file, as git reads them; None if there is no such file."""
    try:
        # A pipe of that name is not waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            text = os.fsdecode(stream.read().removeprefix(codecs.BOM_UTF8))
    except (FileNotFoundError, IsADirectoryError):
        return None
    # Only a line feed ends a line: a name may hold what str.splitlines takes for an end.
    return build_rules(line.removesuffix("\r") for line in text.split("\n"))


def build_rules(lines: Iterable[str]) -> Rules:
    """The rules that ``lines`` of an ignore file say."""
    ordered: list[Rule] = []
    names: set[str] = set()
    endings: set[str] = set()
    globs: list[str] = []
    paths: list[str] = []
    for line in lines:
        try:
            # To git, NUL ends a line's text.
            text = _spell(line).partition("\0")[0]
        except UnicodeEncodeError:
            # No file's name holds such a character.
            continue
        if not text or text.startswith("#"):
            continue
        text = _trim(text)
        pattern = text.removeprefix("!").removesuffix("/")
        pieces = _parse(pattern.removeprefix("/"))
        if pieces is None:
            continue
        rule = Rule(
            pattern="".join(piece.regex for piece in pieces),
            ignores=not text.startswith("!"),
            by_name="/" not in pattern,
            only_folders=text.endswith("/"),
        )
        ordered.append(rule)
        # What a rule matches ends in what the last parts of the rule match.
        last = _take_last(pieces)
        name = _join_literals(last)
        ending = _join_literals(last[1:])
        if name is not None:
            names.add(_unspell(name))
        elif last[0].regex == _STAR and ending and ending.isascii():
            endings.add(ending)
        elif rule.by_name:
            globs.append(rule.pattern)
        else:
            paths.append(rule.pattern)
    return Rules(
        ordered=tuple(reversed(ordered)),
        names=frozenset(names),
        endings=tuple(sorted(endings)),
        globs=_compile("|".join(globs)) if globs else None,
        paths=_compile("|".join(paths)) if paths else None,
    )


def _trim(text: str) -> str:
    """The text without the spaces at its end that are not escaped; git takes off no other blanks."""
    while text.endswith(" ") and (len(text) - len(text[:-1].rstrip("\\"))) % 2 == 1:
        text = text[:-1]
    return text


def _parse(pattern: str) -> list[_Piece] | None:
    r"""The parts of a pattern; None if git takes the pattern and never matches it, as "name\" or "[a"."""
    # Git compares what comes before the first special character by itself, and takes the rest for a pattern of its own.
    # So the stars of "a**/b" stand at a start, and for folders.
    literal = _SPECIAL.split(pattern, maxsplit=1)[0]
    pieces = [_Piece(re.escape(character), character) for character in literal]
    rest = pattern[len(literal) :]
    at = 0
    try:
        while at < len(rest):
            piece, at = _read_piece(rest, at)
            pieces.append(piece)
    except LookupError:
        return None
    return pieces


def _read_piece(text: str, at: int) -> tuple[_Piece, int]:
    """The part of a pattern that begins at ``at``, and where it ends.

    Raises:
        LookupError: it does not end, or names a class that there is not.
    """
    character = text[at]
    if character == "*":
        after = text[at:].lstrip("*")
        end = len(text) - len(after)
        starts = at == 0 or text[at - 1] == "/"
        ends = not after or after.startswith(("/", "\\/"))
        if end - at == 1 or not (starts and ends):
            return _Piece(_STAR), end
        return (_Piece(_ANY_FOLDERS), end + 1) if after.startswith("/") else (_Piece(".*"), end)
    if character == "?":
        return _Piece("[^/]"), at + 1
    if character == "[":
        regex, end = _read_set(text, at + 1)
        return _Piece(regex), end
    if character == "\\":
        at += 1
    return _Piece(re.escape(text[at]), text[at]), at + 1


def _read_set(text: str, start: int) -> tuple[str, int]:
    """The regular expression of a set of characters, whose bracket ends before ``start``, and where the set ends.

    Raises:
        LookupError: it does not end, or names a class that there is not.
    """
    negated = text[start] in "!^"
    start += negated
    chosen: set[str] = set()
    at = start
    # Where a range begins if a dash comes next.
    low = ""
    while at == start or text[at] != "]":
        named = _CLASS.match(text, at)
        if text[at] == "-" and low and text[at + 1] != "]":
            at += 2 if text[at + 1] == "\\" else 1
            chosen.update(map(chr, range(ord(low), ord(text[at]) + 1)))
            low = ""
        elif named is not None:
            chosen.update(_CLASSES[named[1]])
            at = named.end() - 1
            low = ""
        else:
            at += text[at] == "\\"
            low = text[at]
            chosen.add(low)
        at += 1
    characters = re.escape("".join(sorted(chosen - {"/"})))
    if negated:
        return f"[^/{characters}]", at + 1
    return f"[{characters}]" if characters else "(?!)", at + 1


def _take_last(pieces: list[_Piece]) -> list[_Piece]:
    """The parts that match the name of an entry, and in "a**/b" those before it: its folders may be none."""
    ends = [at for at, piece in enumerate(pieces, 1) if piece.literal == "/"]
    last = pieces[ends[-1] :] if ends else pieces
    return list(itertools.dropwhile(lambda piece: piece.regex == _ANY_FOLDERS, last))


def _join_literals(pieces: list[_Piece]) -> str | None:
    """The text that the parts stand for; None if they stand for more than one."""
    return "".join(piece.literal for piece in pieces) if all(piece.literal for piece in pieces) else None


def _compile(pattern: str) -> re.Pattern[str]:
    # A line feed is a character like all others.
    return re.compile(pattern, re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Chain:
    """All rules that hold in a folder.

    Attributes:
        always: rules that decide before all others, and take nothing back.
        files: folders and the rules of the ignore files in them, outermost first.
    """

    always: Rules
    files: tuple[tuple[str, Rules], ...] = ()

    def add(self, folder: str, rules: Rules) -> Chain:
        """The chain with the ignore file of a folder further in."""
        return dataclasses.replace(self, files=(*self.files, (folder, rules)))

    def find_doubtful(self, names: Collection[str], prefix: str) -> set[str]:
        """Those of the names in one folder that may be ignored; most are told from those by a look at the names."""
        found = self.always.find_doubtful(names, prefix)
        for folder, rules in self.files:
            found |= rules.find_doubtful(names, _relate(prefix, folder))
        return found

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether the last rule that matches this very entry ignores it; its folder has been found not to be ignored.

        Not ``Rules.covers``: that one looks at a path alone and has to weigh the rules that match one of its folders.
        """
        for folder, rules in (("", self.always), *reversed(self.files)):
            relative = _spell(_relate(path, folder))
            for rule in rules.ordered:
                if rule.matches(relative, is_folder=is_folder):
                    return rule.ignores
        return False


def _relate(path: str, folder: str) -> str:
    return path[len(folder) + 1 :] if folder else path


def _spell(text: str) -> str:
    """The text with one character for each byte that it has in the file system."""
    return text if text.isascii() else os.fsencode(text).decode("latin-1")


def _unspell(text: str) -> str:
    return text if text.isascii() else os.fsdecode(text.encode("latin-1"))
