from __future__ import annotations

import json
import pathlib

import pytest

from aml_infra.components import workspace_config
from aml_infra.components.workspace_config import WorkspaceAddress
from aml_infra.errors import InvalidInput
from tests.unit.components.azure_resources import SUBSCRIPTION

ADDRESS = WorkspaceAddress(subscription_id=SUBSCRIPTION, resource_group="rg-pets", workspace_name="pets")

TEXT = f"""{{
    "subscription_id": "{SUBSCRIPTION}",
    "resource_group": "rg-pets",
    "workspace_name": "pets"
}}
"""
"""As the studio's page gives it."""


def put(path: pathlib.Path, text: str = TEXT) -> pathlib.Path:
    """Writes a file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def work(tmp_path: pathlib.Path) -> pathlib.Path:
    """A working folder some way down."""
    folder = tmp_path / "home" / "project" / "notebooks"
    folder.mkdir(parents=True)
    return folder


def test_a_file_is_itself(work: pathlib.Path) -> None:
    """Whatever it is called."""
    path = put(work / "pets.json")

    assert workspace_config.find_config(path) == path


@pytest.mark.parametrize(
    "place",
    [
        "config.json",
        "project.json",
        ".azureml/config.json",
        "aml_config/project.json",
        "../config.json",
        "../../.azureml/config.json",
    ],
)
def test_a_folder_is_looked_through(work: pathlib.Path, place: str) -> None:
    """With those above it, under the names that the SDKs look for."""
    path = put(work / place)

    assert workspace_config.find_config(work) == path.resolve()


def test_the_nearest_file_is_not_always_the_first(work: pathlib.Path) -> None:
    """The SDKs look for ``.azureml`` in all folders first; whoever has both must get the same from us."""
    put(work / "config.json")
    path = put(work.parent.parent / ".azureml" / "config.json")

    assert workspace_config.find_config(work) == path


def test_a_path_that_is_not_there_is_looked_for(work: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its own name only, in the folders above."""
    put(work / "project.json")
    path = put(work.parent / ".azureml" / "config.json")
    monkeypatch.chdir(work)

    assert workspace_config.find_config("config.json") == path


@pytest.mark.parametrize(("given", "listed"), [("", "config.json or project.json"), ("pets.json", "pets.json")])
def test_no_file_is_told(work: pathlib.Path, given: str, listed: str) -> None:
    """With what was looked for, and where."""
    with pytest.raises(InvalidInput) as caught:
        workspace_config.find_config(work / given)

    assert caught.value.lines() == [
        (
            f"  - path: {listed} is not in {str(work)!r} nor in a folder above; download it from the workspace's page "
            "in the studio, or give its path"
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "\ufeff" + TEXT,
        json.dumps({**json.loads(TEXT), "workspace_region": "westeurope", "tenant_id": None}),
        json.dumps(
            {"Id": None, "Scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-pets/providers/M/workspaces/pets"}
        ),
    ],
)
def test_a_file_is_read(work: pathlib.Path, text: str) -> None:
    """Of the studio, of Windows, of other tools, of long ago."""
    path = put(work / "config.json", text)

    assert workspace_config.read_config(path) == ADDRESS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); give"),
        ("[]", "has no subscription_id, resource_group, workspace_name; download it again"),
        ('{"workspace_name": "pets", "resource_group": 5}', "has no subscription_id, resource_group; download it"),
        (TEXT.replace(SUBSCRIPTION, "mine"), ": subscription_id: is 'mine'; give the subscription's id, which `az acc"),
        (TEXT.replace('"pets"', '"p"'), ": workspace_name: is 'p', 1 characters; allowed are 3 to 33 letters"),
        (TEXT.replace("rg-pets", "rg."), ": resource_group: is 'rg.', 3 characters; allowed are 1 to 90 letters"),
    ],
)
def test_another_file_is_refused(work: pathlib.Path, text: str, message: str) -> None:
    """With its path, and what is wrong with it."""
    path = put(work / "config.json", text)

    with pytest.raises(InvalidInput) as caught:
        workspace_config.read_config(path)

    (line,) = caught.value.lines()
    assert message in line
    assert f"path: {str(path)!r}" in line


def test_the_text_is_that_of_the_studio() -> None:
    """Character by character."""
    assert workspace_config.write_text(ADDRESS) == TEXT


def test_a_file_is_written_with_its_folder(work: pathlib.Path) -> None:
    """And nothing is left beside it."""
    path = work / ".azureml" / "config.json"

    workspace_config.write_file(path, TEXT)

    assert [(each.name, each.read_text()) for each in path.parent.iterdir()] == [("config.json", TEXT)]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_that_says_the_same_is_left_alone(work: pathlib.Path) -> None:
    """Others may watch it."""
    path = put(work / "config.json")
    before = path.stat()

    workspace_config.write_file(path, TEXT)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_text_takes_its_place(work: pathlib.Path) -> None:
    """At once, so that nobody reads a half of it."""
    path = put(work / "config.json", "old")
    before = path.stat()

    workspace_config.write_file(path, TEXT)

    assert path.read_text() == TEXT
    assert path.stat().st_ino != before.st_ino
