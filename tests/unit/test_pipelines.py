"""The pipelines in the repository, checked against the services' own schemas, and against each other."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
GITHUB = ROOT / ".github" / "workflows" / "pulumi.yml"
AZURE = ROOT / ".azure-pipelines" / "pulumi.yml"
STACKS = sorted(path.name.split(".")[1] for path in (ROOT / "stacks" / "config").glob("Pulumi.azure-*.yaml"))


def read(path: pathlib.Path) -> Any:
    """A pipeline as it is written."""
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", GITHUB),
        ("vendor.azure-pipelines", AZURE),
        ("vendor.azure-pipelines", AZURE.parent / "steps.yml"),
    ],
)
def test_a_pipeline_is_as_its_service_reads_it(schema: str, path: pathlib.Path) -> None:
    """A misspelt key would be refused, or passed over, on the first pull request."""
    checked = subprocess.run(
        [
            str(pathlib.Path(sys.executable).parent / "check-jsonschema"),
            # The schema of Azure Pipelines has expressions that are no valid ones of JavaScript.
            *("--regex-variant", "python"),
            *("--builtin-schema", schema),
            str(path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_every_azure_stack_is_previewed_and_updated_development_first() -> None:
    """A stack that was forgotten would go stale without a word."""
    github, azure = read(GITHUB)["jobs"], read(AZURE)["stages"]

    assert len(STACKS) > 1
    assert github["preview"]["strategy"]["matrix"]["stack"] == STACKS
    assert github["up"]["strategy"] == {"max-parallel": 1, "fail-fast": True, "matrix": {"stack": STACKS}}
    assert list(azure[0]["jobs"][0]["strategy"]["matrix"]) == STACKS
    assert [stage["jobs"][0]["variables"]["STACK"] for stage in azure[1:]] == STACKS
    assert [stage["dependsOn"] for stage in azure[1:]] == [[], azure[1]["stage"]]


def test_no_update_is_cut_off_by_a_later_one() -> None:
    """A killed update leaves a lock and pending operations."""
    assert read(GITHUB)["jobs"]["up"]["concurrency"]["cancel-in-progress"] is False
    assert {stage["lockBehavior"] for stage in read(AZURE)["stages"][1:]} == {"sequential"}


def test_logins_need_no_stored_secret() -> None:
    """OIDC: what the pipelines hold is who they are, and nothing that can leak."""
    github, steps = GITHUB.read_text(), (AZURE.parent / "steps.yml").read_text()

    assert "CLIENT_SECRET" not in github + steps
    assert {job["permissions"]["id-token"] for job in read(GITHUB)["jobs"].values()} == {"write"}
    assert "ARM_USE_OIDC=true" in steps


def test_a_fork_is_given_no_token() -> None:
    """Its code would run with our rights."""
    condition = read(GITHUB)["jobs"]["preview"]["if"]

    assert "head.repo.full_name == github.repository" in condition
