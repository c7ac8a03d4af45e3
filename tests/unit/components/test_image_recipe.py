from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil

import pytest

from aml_infra.image_recipe import ImageRecipe, append_instruction, read_context

CHECK = 'RUN ["check"]'


def make_recipe(folder: pathlib.Path) -> ImageRecipe:
    """The recipe in ``folder``."""
    return ImageRecipe(dockerfile=(folder / "Dockerfile").read_text(), context=folder)


def test_the_key_is_pinned() -> None:
    """A change of the formula would make every model train again."""
    recipe = ImageRecipe(dockerfile="FROM x\n", build_args={"B": "2", "A": "1"}, platform="linux/amd64")

    assert recipe.build_key == "8a3837f7a01a3d5066ea6b66be172e49f3ba45cd8d554fac7ff0b52f74cf4003"


def test_the_context_is_what_is_not_ignored(recipe_folder: pathlib.Path) -> None:
    """Docker's rules for ignored files hold, exceptions included."""
    (recipe_folder / "data").mkdir()
    (recipe_folder / "data" / "big.bin").touch()
    (recipe_folder / "data" / "keep.txt").touch()

    assert [path for path, _, _ in read_context(recipe_folder)] == ["Dockerfile", "data/keep.txt", "requirements.txt"]


def test_the_key_does_not_know_times_nor_places(recipe_folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Another clone, checked out at another time, has the same key."""
    clone = tmp_path / "elsewhere" / "clone"
    shutil.copytree(recipe_folder, clone)
    os.utime(clone / "requirements.txt", (0, 0))

    assert make_recipe(clone).build_key == make_recipe(recipe_folder).build_key


def test_an_ignored_file_does_not_count(recipe_folder: pathlib.Path) -> None:
    """The build cannot see it."""
    before = make_recipe(recipe_folder).build_key
    (recipe_folder / "a.log").write_text("more noise\n")
    (recipe_folder / "data").mkdir()
    (recipe_folder / "data" / "set.bin").touch()

    assert make_recipe(recipe_folder).build_key == before


def test_an_exception_brings_back_what_is_below_an_ignored_folder(tmp_path: pathlib.Path) -> None:
    """What Docker's own build sees of such a folder, for a file of any depth and a link."""
    for name in ("README.md", "s/README.md", "s/a.py", "b.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("s")
    (tmp_path / ".dockerignore").write_text("**\n!README.md\n!**/README.md\n!link\n")

    assert [entry[:2] for entry in read_context(tmp_path)] == [
        ("README.md", "file"),
        ("link", "link"),
        ("s/README.md", "file"),
    ]


def test_a_comment_in_the_ignore_file_does_not_count(recipe_folder: pathlib.Path) -> None:
    """Only what the ignore file does is seen."""
    before = make_recipe(recipe_folder).build_key
    with (recipe_folder / ".dockerignore").open("a") as file:
        file.write("# another thought\n")

    assert make_recipe(recipe_folder).build_key == before


@pytest.mark.parametrize("change", ["content", "executable", "added", "removed", "link", "dockerfile"])
def test_what_the_build_can_see_counts(recipe_folder: pathlib.Path, change: str) -> None:
    """Every change that can change the image changes the key."""
    before = make_recipe(recipe_folder).build_key
    file = recipe_folder / "requirements.txt"
    if change == "content":
        file.write_text("fastai==2.7.19\n")
    elif change == "executable":
        file.chmod(0o755)
    elif change == "added":
        (recipe_folder / "new.txt").touch()
    elif change == "removed":
        file.unlink()
    elif change == "link":
        (recipe_folder / "link").symlink_to("requirements.txt")
    else:
        (recipe_folder / "Dockerfile").write_text("FROM debian:bookworm-slim\n")

    assert make_recipe(recipe_folder).build_key != before


@pytest.mark.parametrize("change", [{"build_args": {"A": "2"}}, {"platform": "linux/arm64"}])
def test_arguments_and_platform_count(change: dict[str, object]) -> None:
    """They can change the image."""
    recipe = ImageRecipe(dockerfile="FROM x\n", build_args={"A": "1"})

    assert dataclasses.replace(recipe, **change).build_key != recipe.build_key  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM x", f"FROM x\n{CHECK}\n"),
        ("FROM x\n\n\n", f"FROM x\n{CHECK}\n"),
        ("FROM x\nRUN a && \\\n    b\n", f"FROM x\nRUN a && \\\n    b\n{CHECK}\n"),
        ("FROM x\nRUN a \\\n", f"FROM x\nRUN a\n{CHECK}\n"),
        ("FROM x\nRUN a \\  \n\n# the end\n", f"FROM x\nRUN a\n\n# the end\n{CHECK}\n"),
        ("# escape=`\nFROM x\nRUN a `\n", f"# escape=`\nFROM x\nRUN a\n{CHECK}\n"),
        ("# escape=`\nFROM x\nCOPY a C:\\\n", f"# escape=`\nFROM x\nCOPY a C:\\\n{CHECK}\n"),
        ("FROM x AS a\nFROM a\n# done", f"FROM x AS a\nFROM a\n# done\n{CHECK}\n"),
    ],
)
def test_an_instruction_is_appended_after_any_end(dockerfile: str, expected: str) -> None:
    """Line continuations do not swallow it, and comments stay."""
    assert append_instruction(dockerfile, CHECK) == expected


def test_only_a_line_feed_ends_a_line_of_a_dockerfile() -> None:
    """As for the builder; Python knows more ends."""
    text = append_instruction("FROM a\nRUN echo 'a\u2028b'\n", "RUN check")

    assert text == "FROM a\nRUN echo 'a\u2028b'\nRUN check\n"


def shorten(text: str) -> str:
    """The digest of a part."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def test_the_parts_of_a_recipe_are_named(recipe_folder: pathlib.Path) -> None:
    """Each thing that can change, with a digest of its own; what is ignored is none."""
    recipe = dataclasses.replace(make_recipe(recipe_folder), build_args={"B": "2", "A": "1"}, platform="linux/arm64")

    assert recipe.summarize() == {
        "Dockerfile": shorten(recipe.dockerfile),
        "context/Dockerfile": shorten(recipe.dockerfile),
        "context/requirements.txt": shorten("fastai\n"),
        "build_args.A": shorten("1"),
        "build_args.B": shorten("2"),
        "platform": "linux/arm64",
    }


def test_the_parts_of_a_large_context_are_folded(recipe_folder: pathlib.Path) -> None:
    """To folders, of which each file still counts."""
    (recipe_folder / "src").mkdir()
    for name in "abc":
        (recipe_folder / "src" / name).write_text(name)
    before = make_recipe(recipe_folder).summarize(4)
    (recipe_folder / "src" / "b").write_text("other")
    after = make_recipe(recipe_folder).summarize(4)

    assert list(after) == ["Dockerfile", "context/Dockerfile", "context/requirements.txt", "context/src/"]
    assert [name for name in after if before[name] != after[name]] == ["context/src/"]


def test_the_parts_of_a_generated_dockerfile_are_its_ingredients() -> None:
    """The text names them, so that each of its changes is one of theirs, or of the template."""
    digest = "0123456789abcdef"
    recipe = ImageRecipe(
        dockerfile=f"FROM x@sha256:{digest}\n",
        template="FROM\n",
        ingredients={"base_image": f"sha256:{digest}", "pip_requirements": digest},
    )

    assert recipe.summarize() == {
        "Dockerfile": shorten("FROM\n"),
        "base_image": digest[:12],
        "pip_requirements": digest[:12],
    }
