from __future__ import annotations

import os
import pathlib
import random
import subprocess

import pytest

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


def write_random_tree(folder: pathlib.Path, chance: random.Random) -> None:
    """Writes files and folders, and ignore files in most of the folders, whose lines often match."""
    for name in NAMES:
        (folder / name).touch()
    for name in chance.sample(NAMES, 3):
        (folder / name).unlink()
        (folder / name).mkdir()
        for inner in chance.sample(NAMES, 4):
            (folder / name / inner).touch()
        deeper = folder / name / "deep"
        deeper.mkdir()
        for inner in chance.sample(NAMES, 3):
            (deeper / inner).touch()
        if chance.random() < 0.3:
            write_random_rules(folder / name, chance)
    write_random_rules(folder, chance)


def write_random_rules(folder: pathlib.Path, chance: random.Random) -> None:
    """Writes an ignore file with one line or a few."""
    lines = []
    for _ in range(chance.choice([1, 1, 2, 3])):
        start = chance.choice(["", "", "", "!", "/"])
        lines.append(start + "".join(chance.choices(ATOMS, k=chance.randint(1, 4))) + chance.choice(["", "", "/", " "]))
    (folder / ".gitignore").write_bytes("\n".join(lines).encode())


def test_random_rules_ignore_what_git_ignores(tmp_path: pathlib.Path) -> None:
    """Git itself is asked about some hundred trees."""
    chance = random.Random(20)  # noqa: S311 - nothing is kept secret with it
    for number in range(150):
        folder = tmp_path / f"tree{number}"
        folder.mkdir()
        write_random_tree(folder, chance)
    paths = {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != ".gitignore"
    }
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(tmp_path)}
    git = ["git", "-c", "core.excludesFile=", "-c", "core.ignoreCase=false"]
    subprocess.run([*git, "init", "--quiet", "--template="], cwd=tmp_path, env=env, check=True)
    asked = "\0".join(sorted(paths)).encode()
    ask = [*git, "check-ignore", "--no-index", "-z", "--stdin"]
    answer = subprocess.run(ask, cwd=tmp_path, env=env, input=asked, capture_output=True, check=True)
    ignored = {path for path in answer.stdout.decode().split("\0") if path}

    snapshot = take_snapshot(tmp_path)

    assert len(ignored) > len(paths) / 10
    assert sorted(file.path for file in snapshot.files) == sorted(paths - ignored)
