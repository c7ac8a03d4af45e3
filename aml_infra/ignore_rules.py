"""Ignore files as git reads them: pathspec knows each rule, and this module which of several rules decides.

Follows gitignore(5): a folder that is ignored is not entered, the last rule that matches an entry decides, and a file
deeper in the tree decides over one above it.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Collection, Iterable

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_ANY_FOLDER = "^(?:.+/)?"
"""How pathspec begins a rule that holds in every folder."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of an ignore file.

    Attributes:
        pattern: regular expression of what it matches, with pathspec's group ``ps_d`` around the slash of a folder that
            it matches.
        ignores: whether it ignores that, or takes it back.
        by_name: whether it looks at an entry's name alone.
    """

    pattern: str
    ignores: bool
    by_name: bool

    @functools.cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled only when it is needed: of most rules, a look at the names is enough."""
        return re.compile(self.pattern)


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
            found.update(filter(self.globs.match, names))
        if self.paths is not None:
            found.update(name for name in names if self.paths.match(spell(prefix + name)))
        return found


def read_rules(path: str) -> Rules | None:
    """The rules of an ignore file, as git reads them; None if there is no such file."""
    try:
        # A pipe of that name is not waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            text = stream.read().decode("utf-8-sig", "surrogateescape")
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
        text = _normalize(line)
        pattern = _translate(text)
        if pattern is None:
            continue
        folder, _, name = text.removeprefix("!").removesuffix("/").rpartition("/")
        by_name = not folder and "/" not in text.removesuffix("/")
        ordered.append(Rule(pattern, not text.startswith("!"), by_name))
        # What matches an entry itself matches its name with the last part of the rule. Its slash, if it is a folder,
        # is not looked at here.
        pattern = pattern.replace("(?P<ps_d>/)", "(?:/|$)")
        if not _is_glob(name):
            names.add(name)
        elif not pattern.startswith("^"):
            endings.add("")
        elif name.startswith("*") and len(name) > 1 and not _is_glob(name[1:]):
            endings.add(name[1:])
        elif by_name:
            globs.append("^" + pattern.removeprefix(_ANY_FOLDER))
        else:
            paths.append(pattern)
    return Rules(
        ordered=tuple(reversed(ordered)),
        names=frozenset(names),
        endings=tuple(sorted(endings)),
        globs=re.compile("|".join(globs)) if globs else None,
        paths=re.compile("|".join(paths)) if paths else None,
    )


def _normalize(line: str) -> str:
    """The line as pathspec has to be told it to read it as git does."""
    # Git takes off spaces that are not escaped and no other blanks, pathspec takes off all blanks.
    while line.endswith(" ") and not _is_escaped(line[:-1]):
        line = line[:-1]
    if line and line[-1] != " " and line[-1].isspace():
        line = f"{line[: -2 if _is_escaped(line[:-1]) else -1]}[{line[-1]}]"
    # Every folder below; pathspec takes it for the folder itself.
    return line + "*/" if line.endswith("/**/") else line


def _translate(line: str) -> str | None:
    """The regular expression of what a line of an ignore file matches; None if it matches nothing."""
    try:
        pattern: str | None = GitIgnoreSpecPattern.pattern_to_regex(line)[0]
        if pattern is not None and "[" in line:
            # All but a set of characters is right as it is written down.
            re.compile(pattern)
        return pattern
    except (ValueError, re.error):
        # Git takes such a line, as in "!", "name\\" or "[z-a]", and never matches it.
        return None


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[\\") or not text


def _is_escaped(before: str) -> bool:
    """Whether the character after ``before`` is escaped: an odd number of backslashes comes before it."""
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


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

        Not ``check_file``: that one looks at a path alone and has to weigh the rules that match one of its folders.
        """
        path = spell(path)
        name = path.rpartition("/")[2]
        slash = "/" if is_folder else ""
        for folder, rules in (("", self.always), *reversed(self.files)):
            relative = _relate(path, folder)
            for rule in rules.ordered:
                if _matches_entry(rule.regex, (name if rule.by_name else relative) + slash):
                    return rule.ignores
        return False


def _relate(path: str, folder: str) -> str:
    return path[len(folder) + 1 :] if folder else path


def spell(path: str) -> str:
    """The path for regular expressions, to which a line feed is special, as it is not to git; NUL is in no path."""
    return path.replace("\n", "\0")


def _matches_entry(regex: re.Pattern[str], path: str) -> bool:
    """Whether a rule matches ``path`` itself, and not only one of its folders; a folder's path ends in a slash."""
    # Group ps_d is pathspec's mark for the slash of the folder that the rule matches.
    if any(match.groupdict().get("ps_d") and match.end() == len(path) for match in regex.finditer(path)):
        return True
    # Without its slash, so that "name/**" does not match the folder "name" itself.
    return any(not match.groupdict().get("ps_d") for match in regex.finditer(path.rstrip("/")))
