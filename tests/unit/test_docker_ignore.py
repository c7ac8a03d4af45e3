"""``.dockerignore`` as the builder reads it; each case was compared to a build with BuildKit."""

from __future__ import annotations

import pathlib

import pytest

from aml_infra import docker_ignore, image_recipe


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        ("data", ["data", "data/x"], ["Data", "DATA/x", "a/data"]),
        ("*.md\n!README.md", ["x.md"], ["README.md", "a/x.md"]),
        ("[!a]", ["a", "!"], ["b"]),
        ("[^a]", ["b"], ["a"]),
        ("../a", [], ["a"]),
        ("/a/../b", ["b"], ["a"]),
        ("**/a", ["a", "x/a", "x/y/a"], ["ba"]),
        ("**a", ["a", "xa", "x/ya"], ["ab"]),
        ("a/**", ["a/b"], ["a", "b"]),
        (" #a \n#b", ["#a"], ["#b", "b"]),
        ("! a", [], ["a"]),
        ("*\n!**/k.md", ["x", "a/x"], ["k.md", "a/k.md", "a/b/k.md"]),
        ("a\\[b", ["a[b"], ["ab"]),
        ("a.b", ["a.b"], ["axb"]),
        ("a+*", ["a+", "a++"], ["aa"]),
        ("a{2}*", ["aa", "aaa"], ["a{2}"]),
        ("?|?", ["abc", "x|y"], []),
        ("\u00fc?", ["\u00fca"], ["\u00fc"]),
    ],
)
def test_patterns_are_those_of_the_builder(
    tmp_path: pathlib.Path, lines: str, ignored: list[str], kept: list[str]
) -> None:
    """Upper and lower case are not the same, and brackets are those of Go."""
    for name in [*ignored, *kept]:
        path = tmp_path / name
        if not any(other.startswith(f"{name}/") for other in [*ignored, *kept]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    (tmp_path / ".dockerignore").write_text(lines)

    found = {path for path, _, _ in image_recipe.read_context(tmp_path)}

    files = {name for name in kept if (tmp_path / name).is_file()}
    assert found == files


@pytest.mark.parametrize("line", ["!", "[", "[]a]", "[a-", "a\\", "[-a]"])
def test_what_the_builder_refuses_is_refused(line: str) -> None:
    """Before anything is built."""
    with pytest.raises(docker_ignore.BadPattern):
        docker_ignore.read_patterns(f"a\n{line}\n")
