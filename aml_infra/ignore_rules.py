"""Ignore files as git reads them: pathspec knows each rule, and this module which of several rules decides.

Follows gitignore(5): a folder that is ignored is not entered, the last rule that matches an entry decides, and a file
deeper in the tree decides over one above it.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

Rules = list[tuple[re.Pattern[str], bool]]
"""The rules of one ignore file, last one first: what a rule matches, and whether it ignores that."""


def read_rules(path: pathlib.Path) -> Rules | None:
    """The rules of an ignore file, last one first, as git reads them; None if there is no such file."""
    try:
        with path.open("rb") as stream:
            text = stream.read().decode("utf-8-sig", "surrogateescape")
    except (FileNotFoundError, IsADirectoryError):
        return None
    # Only a line feed ends a line: a name may hold what str.splitlines takes for an end.
    rules = [_read_rule(line.removesuffix("\r")) for line in text.split("\n")]
    return [rule for rule in reversed(rules) if rule is not None]


def _read_rule(line: str) -> tuple[re.Pattern[str], bool] | None:
    """What a line of an ignore file matches, and whether it ignores that; None if it matches nothing."""
    # Git takes off spaces that are not escaped and no other blanks, pathspec takes off all blanks.
    while line.endswith(" ") and not _is_escaped(line[:-1]):
        line = line[:-1]
    if line and line[-1] != " " and line[-1].isspace():
        line = f"{line[: -2 if _is_escaped(line[:-1]) else -1]}[{line[-1]}]"
    if line.endswith("/**/"):
        # Every folder below; pathspec takes it for the folder itself.
        line += "*/"
    try:
        rule = GitIgnoreSpecPattern(line)
    except (ValueError, re.error):
        # Git takes such a line, as in "!", "name\\" or "[z-a]", and never matches it.
        return None
    return None if rule.include is None or rule.regex is None else (rule.regex, rule.include)


def _is_escaped(before: str) -> bool:
    """Whether the character after ``before`` is escaped: an odd number of backslashes comes before it."""
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def is_ignored(path: str, rules: Iterable[tuple[str, Rules]]) -> bool:
    """Whether the last rule that matches this very entry ignores it; its folder has been found not to be ignored.

    Not ``check_file``: that one looks at a path alone and has to weigh the rules that match one of its folders.
    """
    for folder, own in reversed(list(rules)):
        relative = path[len(folder) + 1 :] if folder else path
        for regex, include in own:
            if _matches_entry(regex, relative):
                return include
    return False


def _matches_entry(regex: re.Pattern[str], path: str) -> bool:
    """Whether a rule matches ``path`` itself, and not only one of its folders; a folder's path ends in a slash."""
    # Group ps_d is pathspec's mark for the slash of the folder that the rule matches.
    if any(match.groupdict().get("ps_d") and match.end() == len(path) for match in regex.finditer(path)):
        return True
    # Without its slash, so that "name/**" does not match the folder "name" itself.
    return any(not match.groupdict().get("ps_d") for match in regex.finditer(path.rstrip("/")))
