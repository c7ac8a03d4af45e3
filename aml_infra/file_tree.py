"""The files and links below a folder, with what is wrong with them as parts of a snapshot."""

from __future__ import annotations

import dataclasses
import os
import posixpath
import stat
from collections.abc import Container, Mapping

from aml_infra import file_digests, ignore_rules, stat_cache
from aml_infra.errors import Problem

NEVER = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    ".tox",
    ".nox",
    "__pycache__",
    "*.pyc",
    "*.pyo",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".DS_Store",
    ".pulumi",
    ".amlignore",
    ".gitignore",
)
"""Never part of a snapshot, in gitignore syntax; a folder that holds a ``pyvenv.cfg`` is not either."""


@dataclasses.dataclass(frozen=True)
class Words:
    """How problems are told.

    Attributes:
        path: the user's property path.
        ignorable: whether an ignore file can leave out what is wrong.
    """

    path: str
    ignorable: bool

    def describe_unreadable(self, path: str, error: OSError) -> Problem:
        """A file or folder that cannot be read."""
        if isinstance(error, file_digests.FileChanging):
            return self.tell(f"{path!r} changes while it is read; stop what writes to it", ", or ignore it")
        return self.tell(f"{path!r} cannot be read ({error.strerror or error}); make it readable", ", or ignore it")

    def tell(self, message: str, otherwise: str = "") -> Problem:
        """A problem, with what else can be done where there are ignore files."""
        return Problem(self.path, message + otherwise if self.ignorable else message)


@dataclasses.dataclass(frozen=True)
class Tree:
    """What was found below a folder; paths are relative to it, with forward slashes, in no order.

    Attributes:
        files: regular files.
        links: paths of symbolic links, and their targets.
        marked: paths of files and links that the rules given as marks may match; they match none of the others.
        problems: what is wrong.
    """

    files: list[file_digests.Found]
    links: list[tuple[str, str]]
    marked: list[str]
    problems: list[Problem]


def list_all(root: str, words: Words, known: Mapping[stat_cache.Stamp, bytes]) -> Tree:
    """Everything below ``root``."""
    return _Walk(root, words, known).run(None, None, nested=False)


def list_unignored(root: str, words: Words, known: Mapping[stat_cache.Stamp, bytes], marks: ignore_rules.Rules) -> Tree:
    """What is neither one of ``NEVER`` nor ignored by the ignore files."""
    walk = _Walk(root, words, known)
    rules = ignore_rules.Chain(ignore_rules.build_rules(NEVER))
    try:
        chosen = ignore_rules.read_rules(f"{root}/.amlignore")
    except OSError as error:
        return Tree([], [], [], [_describe_ignore_file(words, ".amlignore", error)])
    if chosen is None:
        return walk.run(rules, marks, nested=True)
    return walk.run(rules.add("", chosen), marks, nested=False)


def list_one(path: str, words: Words, known: Mapping[stat_cache.Stamp, bytes]) -> Tree:
    """A single file, under its name."""
    tree = Tree([], [], [], [])
    name = os.path.basename(path)
    try:
        status = os.stat(path)
    except OSError as error:
        reason = f"does not exist, or cannot be reached ({error.strerror or error})"
        tree.problems.append(words.tell(f"{path!r} {reason}; give a folder or a file on this machine"))
        return tree
    if not _is_utf8(name):
        tree.problems.append(_describe_name(words, name))
    elif stat.S_ISREG(status.st_mode):
        stamp = stat_cache.read_stamp(status)
        tree.files.append((name, status.st_mode & stat.S_IXUSR != 0, stamp, known.get(stamp)))
    else:
        tree.problems.append(_describe_kind(words, name))
    return tree


class _Walk:
    """One walk through a folder, which is absolute."""

    def __init__(self, root: str, words: Words, known: Mapping[stat_cache.Stamp, bytes]) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._words = words
        self._known = known
        self._tree = Tree([], [], [], [])

    def run(self, rules: ignore_rules.Chain | None, marks: ignore_rules.Rules | None, *, nested: bool) -> Tree:
        """What ``rules`` leave in, or all; if they are ``nested``, with those of the .gitignore file in each folder."""
        # A stack, as folders may lie deeper than Python calls.
        waiting = [("", rules, False)]
        while waiting:
            folder, chain, is_marked = waiting.pop()
            try:
                with os.scandir(f"{self._root}/{folder}") as listing:
                    entries = {entry.name: entry for entry in listing}
            except OSError as error:
                self._tree.problems.append(self._words.describe_unreadable(folder or ".", error))
                continue
            if chain is not None and folder and "pyvenv.cfg" in entries:
                continue
            prefix = folder + "/" if folder else ""
            # Git follows no link in the place of a .gitignore file.
            if chain is not None and nested and ".gitignore" in entries and not entries[".gitignore"].is_symlink():
                try:
                    own = ignore_rules.read_rules(f"{self._root}/{prefix}.gitignore")
                except OSError as error:
                    # The folder is left out: without its rules, more would be told than is wrong.
                    self._tree.problems.append(_describe_ignore_file(self._words, prefix + ".gitignore", error))
                    continue
                chain = chain if own is None else chain.add(folder, own)
            marked = set(entries) if is_marked else marks.find_doubtful(entries, prefix) if marks is not None else ()
            folders = self._sort_out(prefix, entries, chain, marked)
            waiting.extend((prefix + name, chain, name in marked) for name in reversed(folders))
        return self._tree

    def _sort_out(
        self,
        prefix: str,
        entries: Mapping[str, os.DirEntry[str]],
        chain: ignore_rules.Chain | None,
        marked: Container[str],
    ) -> list[str]:
        """Takes up the files, links and problems among the entries of a folder, and returns the folders to enter."""
        folders = []
        doubtful = chain.find_doubtful(entries, prefix) if chain is not None else ()
        files, known, read_stamp = self._tree.files, self._known, stat_cache.read_stamp
        for name in sorted(entries):
            entry = entries[name]
            path = prefix + name
            is_folder = entry.is_dir(follow_symlinks=False)
            if chain is not None and name in doubtful and chain.ignores(path, is_folder=is_folder):
                continue
            if not (name.isascii() or _is_utf8(name)):
                self._tree.problems.append(_describe_name(self._words, path))
                continue
            if is_folder:
                folders.append(name)
                continue
            if name in marked:
                self._tree.marked.append(path)
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._tree.problems.append(self._words.describe_unreadable(path, error))
                continue
            mode = status.st_mode
            if stat.S_ISREG(mode):
                stamp = read_stamp(status)
                files.append((path, mode & stat.S_IXUSR != 0, stamp, known.get(stamp)))
            elif stat.S_ISLNK(mode):
                self._take_link(path)
            else:
                self._tree.problems.append(_describe_kind(self._words, path))
        return folders

    def _take_link(self, path: str) -> None:
        try:
            target = os.readlink(f"{self._root}/{path}")
        except OSError as error:
            self._tree.problems.append(self._words.describe_unreadable(path, error))
            return
        self._tree.links.append((path, target))
        if self._leaves(path, target):
            self._tree.problems.append(
                self._words.tell(
                    f"link {path!r} leads to {target!r}, outside the folder; copy the file in", ", or ignore the link"
                )
            )

    def _leaves(self, path: str, target: str) -> bool:
        """Whether a link leads out of the tree, as it is written or through other links."""
        lexical = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if os.path.isabs(target) or lexical == ".." or lexical.startswith("../"):
            return True
        reached = os.path.realpath(f"{self._root}/{path}")
        return reached != self._real_root and not reached.startswith(self._real_root.rstrip("/") + "/")


def _describe_name(words: Words, path: str) -> Problem:
    return words.tell(f"the name of {path!r} is not UTF-8; rename it", " or ignore it")


def _describe_kind(words: Words, path: str) -> Problem:
    return words.tell(f"{path!r} is neither a file, a folder nor a link; remove it", " or ignore it")


def _describe_ignore_file(words: Words, path: str, error: OSError) -> Problem:
    return Problem(words.path, f"{path!r} cannot be read ({error.strerror or error}); make it readable")


def _is_utf8(name: str) -> bool:
    """Whether the name can be written down; Python reads the bytes that are not UTF-8 as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
