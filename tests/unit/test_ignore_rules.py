from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from aml_infra.errors import InvalidInput
from aml_infra.ignore_rules import Chain, build_rules
from aml_infra.source import take_snapshot


def list_ignored(line: str, paths: list[str]) -> list[str]:
    """Those of ``paths`` that a line ignores; a folder's path ends in a slash."""
    chain = Chain(build_rules([line]))
    ignored = [path for path in paths if chain.ignores(path.removesuffix("/"), is_folder=path.endswith("/"))]
    for path in ignored:
        folder, slash, name = path.removesuffix("/").rpartition("/")
        assert chain.find_doubtful([name], folder + slash) == {name}
    return ignored


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ("?", ["a"]),
        ("??", ["ü", "é"]),
        ("[ü]?", ["ü", "é"]),
        ("?[\xbc]", ["ü"]),
        ("[!a]", []),
        ("[!a][!a]", ["ü", "é"]),
        ("ü", ["ü"]),
        ("*ü", ["ü"]),
        ("*\udcbc", ["ü"]),
        ("\\ü", ["ü"]),
        ("日*", ["日本"]),
        ("[[:alpha:]]*", ["a"]),
    ],
)
def test_names_are_compared_byte_by_byte(line: str, ignored: list[str]) -> None:
    """A letter beyond ASCII is several bytes, and no letter."""
    assert list_ignored(line, ["a", "ü", "é", "日本"]) == ignored


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("alnum", "09AZaz"),
        ("alpha", "AZaz"),
        ("blank", " \t"),
        ("cntrl", "\t\n\v\x7f"),
        ("digit", "09"),
        ("graph", "09AZaz!~"),
        ("lower", "az"),
        ("print", "09AZaz!~ "),
        ("punct", "!~"),
        ("space", " \t\n"),
        ("upper", "AZ"),
        ("xdigit", "09Aa"),
        ("letter", ""),
        ("", ""),
    ],
)
def test_classes_are_gits(name: str, expected: str) -> None:
    """A vertical tab is no space; a set with an unknown class matches nothing, whatever else is in it."""
    characters = list("09AZaz!~ \t\n\v\x7f")

    assert list_ignored(f"[[:{name}:]]", characters) == list(expected)
    assert list_ignored(f"[-[:{name}:]z]x", ["-x", "zx"]) == (["-x", "zx"] if expected else [])


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ("[!/]", ["!", "-", "[", "\\", "]", "^", "a", "b"]),
        ("[/]", []),
        ("[\\]]", ["]"]),
        ("[]]", ["]"]),
        ("[!]]", ["!", "-", "[", "\\", "^", "a", "b"]),
        ("[^!]", ["-", "[", "\\", "]", "^", "a", "b"]),
        ("[]-a]", ["]", "^", "a"]),
        ("[Z-[]", ["["]),
        ("[Z-\\]]", ["[", "\\", "]"]),
        ("[a-]", ["-", "a"]),
        ("[a-b-z]", ["-", "a", "b"]),
        ("[a\\-z]", ["-", "a"]),
        ("[z-a]", []),
        ("[!z-a]", ["!", "-", "[", "\\", "]", "^", "a", "b"]),
        ("[\\\\]", ["\\"]),
        ("[[:]", ["["]),
        ("[[:a]", ["[", "a"]),
        ("[[:alpha]", ["[", "a"]),
        ("[a", []),
        ("[", []),
        ("[]", []),
        ("[!", []),
        ("[a-", []),
        ("[[:alpha:]", []),
        ("\\", []),
        ("\\[", ["["]),
        ("\\a", ["a"]),
        ("!", []),
        ("\\!", ["!"]),
        ("a\0b", ["a"]),
    ],
)
def test_sets_and_escapes_are_gits(line: str, ignored: list[str]) -> None:
    """Where a set ends, what a range is, and which lines match nothing."""
    assert list_ignored(line, ["!", "-", "[", "\\", "]", "^", "a", "b"]) == ignored


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ("***/b", ["b", "a/b", "a/x/b"]),
        ("a/***/b", ["a/b", "a/x/b"]),
        ("a**/b", ["ab", "a/b", "a/x/b"]),
        ("a**/**/b", ["ab", "a/b", "a/x/b"]),
        ("a**//", ["a/"]),
        ("?**/b", ["a/b"]),
        ("/a**", ["a/", "ab", "a/b", "a/x/", "a/x/b"]),
        ("**\\/b", ["a/b", "a/x/b"]),
        ("a/**", ["a/b", "a/x/", "a/x/b"]),
        ("a/**/", ["a/x/"]),
        ("*/", ["a/", "a/x/"]),
        ("a/*", ["a/b", "a/x/"]),
        ("a[/]b", []),
        ("[a/]b", ["ab"]),
        ("a//b", []),
        ("//b", []),
        ("b\\/", []),
        ("/b", ["b"]),
        ("*b", ["b", "ab", "a/b", "a/x/b"]),
    ],
)
def test_stars_and_slashes_are_gits(line: str, ignored: list[str]) -> None:
    """Stars after plain text stand for folders, and a set may hold a slash that it never matches."""
    assert list_ignored(line, ["b", "a/", "ab", "a/b", "a/x/", "a/x/b"]) == ignored


def test_a_line_feed_is_a_character_like_others() -> None:
    """It neither ends a name nor escapes a star."""
    names = ["a", "a\n", "a\nb"]

    assert list_ignored("a", names) == ["a"]
    assert list_ignored("a?", names) == ["a\n"]
    assert list_ignored("x/**", ["x/a\nb"]) == ["x/a\nb"]


def test_most_names_are_told_without_a_rule() -> None:
    """Plain names and endings leave no other name in doubt."""
    rules = build_rules(["build/", "*.log", "/out\\ put", "a/**/data", "é"])

    names = ["build", "x.log", "out put", "data", "é", "è", "x.py", "log"]
    assert rules.find_doubtful(names, "a/") == {"build", "x.log", "out put", "data", "é"}
    assert (rules.globs, rules.paths) == (None, None)


NAMES = ["a", "b", "ab", "ü", "a.b", "*", "[a]", "!x", "x\\y", "]", "a\nb", "日本", "^", "-", "a "]
ATOMS = [
    *NAMES,
    *["*", "*", "**", "**", "***", "?", "??", "/", "/", "/", "\\", "!", " ", "**/", "/**", "/**/", "\\/"],
    *["[ab]", "[!a]", "[^ü]", "[a-c]", "[[:alpha:]]", "[![:punct:]]", "[[:x:]]", "[]-a]", "[a-[", "[!/]", "[\\]]", "["],
]


files = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["file", "executable", "closed", "link"]), max_size=6)
"""What is in a folder: names, and the kind of each."""

lines = st.builds(
    lambda start, middle, end: start + "".join(middle) + end,
    st.sampled_from(["", "", "", "!", "/", "#"]),
    st.lists(st.sampled_from(ATOMS), min_size=1, max_size=4),
    st.sampled_from(["", "", "/", " ", "\\ ", "\r", "\t"]),
)
ignore_files = st.one_of(st.none(), st.lists(lines, min_size=1, max_size=4))
trees = st.recursive(
    st.fixed_dictionaries({"files": files, "rules": ignore_files, "folders": st.just({})}),
    lambda inner: st.fixed_dictionaries(
        {"files": files, "rules": ignore_files, "folders": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)}
    ),
    max_leaves=5,
)
"""Folders in folders, with an ignore file in most of them, whose lines often match."""


def write_tree(folder: pathlib.Path, tree: dict[str, Any]) -> None:
    """Writes a tree; a folder's name is no file's."""
    folder.mkdir()
    for name, inner in tree["folders"].items():
        write_tree(folder / name, inner)
    for name in tree["files"].keys() - tree["folders"].keys():
        path = folder / name
        match tree["files"][name]:
            case "link":
                path.symlink_to("nowhere")
            case kind:
                path.write_text(kind)
                path.chmod({"file": 0o644, "executable": 0o755, "closed": 0o400}[kind])
    if tree["rules"] is not None:
        (folder / ".gitignore").write_bytes("\n".join(tree["rules"]).encode())


def list_tree(root: pathlib.Path) -> set[str]:
    """The paths of all that is no folder, less the ignore files."""
    return {
        os.path.relpath(os.path.join(folder, name), root)
        for folder, folders, names in os.walk(root)
        for name in [*names, *(each for each in folders if os.path.islink(os.path.join(folder, each)))]
        if name != ".gitignore"
    }


class Git:
    """Git itself, with no settings but its own defaults, in one repository for all trees that it is asked about."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._env = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(root),
            "LC_ALL": "C",
        }
        self._git = ["git", "-c", "core.excludesFile=", "-c", "core.ignoreCase=false"]
        subprocess.run([*self._git, "init", "--quiet", "--template="], cwd=root, env=self._env, check=True)

    def list_ignored(self, tree: pathlib.Path, paths: set[str]) -> set[str]:
        """Those of the paths in a tree that git ignores."""
        prefix = tree.relative_to(self._root).as_posix() + "/"
        asked = "\0".join(sorted(prefix + path for path in paths)).encode()
        ask = [*self._git, "check-ignore", "--no-index", "-z", "--stdin"]
        answer = subprocess.run(ask, cwd=self._root, env=self._env, input=asked, capture_output=True, check=False)
        # It ends with 1 where it ignores none.
        assert answer.returncode in (0, 1), answer.stderr
        return {path.removeprefix(prefix) for path in answer.stdout.decode().split("\0") if path}


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> tuple[Git, pathlib.Path]:
    """Git, and a folder for trees."""
    root = tmp_path_factory.mktemp("repository")
    return Git(root), root


def test_rules_ignore_what_git_ignores(git: tuple[Git, pathlib.Path]) -> None:
    """Git itself is asked about each tree: names of any kind, links, modes, and ignore files in many folders."""
    asked, root = git
    folder = root / "tree"
    counts: list[tuple[int, int]] = []

    @hypothesis.given(trees)
    def compare(tree: dict[str, Any]) -> None:
        write_tree(folder, tree)
        try:
            paths = list_tree(folder)
            ignored = asked.list_ignored(folder, paths)
            counts.append((len(ignored), len(paths)))
            assert list_snapshot(folder) == paths - ignored
        finally:
            shutil.rmtree(folder)

    compare()
    # Lines that never match would prove nothing.
    assert sum(ignored for ignored, _ in counts) > sum(of for _, of in counts) / 20


def list_snapshot(folder: pathlib.Path) -> set[str]:
    """The paths in the snapshot of a folder, which may have none."""
    try:
        return {file.path for file in take_snapshot(folder).files}
    except InvalidInput as error:
        (problem,) = error.problems
        assert "holds no file that is not ignored" in problem.message
        return set()
