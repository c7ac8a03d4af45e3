from __future__ import annotations

import pytest

from tools.bench import bed, errors, project

UNCHANGED = "Updating (local):\n\nResources:\n    6 unchanged\n\nDuration: 2s\n"


def test_an_up_that_does_nothing_is_accepted() -> None:
    """It says how many resources are unchanged and nothing else."""
    project.require_unchanged(UNCHANGED)


@pytest.mark.parametrize("count", ["+ 1 created", "~ 1 updated", "+-1 replaced", "- 1 deleted"])
def test_an_up_that_does_something_is_not_timed(count: str) -> None:
    """A figure of something else would look like a slow no-op."""
    with pytest.raises(errors.BenchError, match="nothing to do"):
        project.require_unchanged(UNCHANGED.replace("    6 unchanged", f"    {count}\n    5 unchanged"))


def test_an_up_without_a_summary_is_not_timed() -> None:
    """An engine that words it differently is noticed."""
    with pytest.raises(errors.BenchError, match="nothing to do"):
        project.require_unchanged("Updating (local):\n")


def test_the_token_is_added_to_the_settings_of_stack_local() -> None:
    """The training of the bench is another than the user's own, and the rest is as it was."""
    settings = (bed.CHECKOUT / "stacks/config/Pulumi.local.yaml").read_text()

    changed = project.add_variable(settings, {"TOKEN": "abc"})

    added = '    environment_variables: {"TOKEN": "abc"}\n'
    assert changed.replace(added, "") == settings
    assert f"  aml-infra:train:\n{added}" in changed


@pytest.mark.parametrize("settings", ["config:\n", "  aml-infra:train:\n    environment_variables: {}\n"])
def test_settings_of_another_shape_are_not_guessed(settings: str) -> None:
    """The error says what the bench relies on."""
    with pytest.raises(errors.BenchError, match="environment_variables"):
        project.add_variable(settings, {"TOKEN": "abc"})
