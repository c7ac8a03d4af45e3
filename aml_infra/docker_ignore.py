"""``.dockerignore`` as BuildKit reads it, so that the build key covers the files that the build can see, and no others.

Not docker-py's ``PatternMatcher``: it takes upper and lower case for the same, ``[!a]`` for all but ``a``, and patterns
that the builder refuses. What follows is the behaviour of github.com/moby/patternmatcher.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import warnings
from collections.abc import Callable, Sequence

_ESCAPED = frozenset(".+()$")
"""What is literal in a pattern and special in a regular expression; all else is passed on, as the builder does it."""


class BadPattern(ValueError):
    """A pattern that the builder refuses."""


@dataclasses.dataclass(frozen=True)
class Pattern:
    """One line.

    Attributes:
        matches: whether it matches a path.
        takes_back: whether it begins with ``!``.
    """

    matches: Callable[[str], object]
    takes_back: bool


Known = Sequence[bool]
"""For each pattern, whether it has matched a folder."""


@dataclasses.dataclass(frozen=True)
class Patterns:
    """All lines, in their order."""

    ordered: tuple[Pattern, ...]

    @property
    def take_back(self) -> bool:
        """Whether something below an ignored folder may be part of the context."""
        return any(pattern.takes_back for pattern in self.ordered)

    def ignore(self, path: str, folder: Known = ()) -> tuple[bool, Known]:
        """Whether ``path`` is ignored, given what is known of its folder; and what is known of it then."""
        ignored = False
        known = []
        for index, pattern in enumerate(self.ordered):
            matched = bool(folder) and folder[index]
            # The builder does not ask a pattern that would change nothing, and what it has not asked is no match.
            if not matched and pattern.takes_back == ignored:
                matched = bool(pattern.matches(path))
            known.append(matched)
            if matched:
                ignored = not pattern.takes_back
        return ignored, known


def read_patterns(text: str) -> Patterns:
    """The patterns that ``text`` says.

    Raises:
        BadPattern: the builder would refuse it.
    """
    return Patterns(tuple(_read_pattern(line) for line in map(_read_line, text.split("\n")) if line))


def _read_line(line: str) -> str:
    # A comment begins at the very start; what follows a blank is a pattern.
    if line.startswith("#"):
        return ""
    line = line.strip()
    mark, text = ("!", line[1:].strip()) if line.startswith("!") else ("", line)
    if not text:
        return mark
    text = _clean(text)
    return mark + (text[1:] if len(text) > 1 and text.startswith("/") else text)


def _clean(path: str) -> str:
    """Go's ``filepath.Clean``; two slashes at the start are special to Python alone."""
    return re.sub("^//+", "/", posixpath.normpath(path))


def _read_pattern(line: str) -> Pattern:
    if line == "!":
        raise BadPattern(line)
    text = line.removeprefix("!")
    if not _is_valid(text):
        raise BadPattern(line)
    return Pattern(_compile(text), line.startswith("!"))


def _is_valid(text: str) -> bool:
    """Whether Go's ``filepath.Match`` takes it: brackets hold ranges, and end; an escape escapes something."""
    character = r"(?:\\.|[^\\\]-])"
    bracket = rf"\[\^?(?:{character}(?:-{character})?)+\]"
    return re.fullmatch(rf"(?:{bracket}|\\.|[^\[\\])*", text, re.DOTALL) is not None


def _compile(text: str) -> Callable[[str], object]:
    kind = "exact"
    regex = ""
    index = count = 0
    while index < len(text):
        character = text[index]
        index += 1
        if text.startswith("**", index - 1):
            index += 1
            if text.startswith("/", index):
                index += 1
            if index < len(text):
                regex += "(.*/)?"
                kind = "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                regex += ".*"
                kind = "regex"
            if count == 0:
                kind = "suffix"
        elif character in "*?":
            regex += "[^/]*" if character == "*" else "[^/]"
            kind = "regex"
        elif character == "\\":
            regex += character + text[index]
            index += 1
            kind = "regex"
        else:
            regex += "\\" + character if character in _ESCAPED else character
            if character in "[]":
                kind = "regex"
        count += 1
    return _choose(kind, text, regex)


def _choose(kind: str, text: str, regex: str) -> Callable[[str], object]:
    if kind == "exact":
        return lambda path: path == text
    if kind == "prefix":
        return lambda path: path.startswith(text[:-2])
    if kind == "suffix":
        return lambda path: path.endswith(text[2:]) or path == text[3:]
    try:
        with warnings.catch_warnings():
            # Python warns of brackets that may be read in another way one day.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(rf"^{regex}\Z").search
    except re.error as error:
        raise BadPattern(text) from error
