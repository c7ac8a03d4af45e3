from __future__ import annotations

from aml_infra.provider import diff
from aml_infra.provider.diff import Change, Kind

INPUTS = {
    "source": "/a",
    "sourceDigest": "d1",
    "sourceFiles": {"train.py": "1", "lib/a.py": "2"},
    "command": ["python", "train.py"],
    "image": "image:1",
    "imageIdentity": "sha256:1",
    "cpus": 2.0,
}


def test_equal_inputs_of_a_completed_run_have_no_diff() -> None:
    """Nothing changed, nothing to do."""
    assert diff.compare(INPUTS, dict(INPUTS), "Completed") == {}


def test_paths_and_image_names_are_not_compared() -> None:
    """Another checkout, or another name of the same image, is not another run."""
    assert diff.compare(INPUTS, {**INPUTS, "source": "/b", "image": "image:2"}, "Completed") == {}


def test_changed_files_are_named_each_with_its_kind() -> None:
    """Edited, added and removed files are told apart, and what did not change is not named."""
    new = {**INPUTS, "sourceDigest": "d2", "sourceFiles": {"train.py": "3", 'a"b.py': "4"}}

    assert diff.compare(INPUTS, new, "Completed") == {
        'sourceFiles["a\\"b.py"]': Change(Kind.ADD, replaces=True),
        'sourceFiles["lib/a.py"]': Change(Kind.DELETE, replaces=True),
        'sourceFiles["train.py"]': Change(Kind.UPDATE, replaces=True),
    }


def test_a_name_that_the_engine_cannot_quote_is_told_by_its_map() -> None:
    """Its paths have an escape for the quote only, so that a backslash at the end would open the string again."""
    new = {**INPUTS, "sourceFiles": {**INPUTS["sourceFiles"], "odd\\": "1", "a\\b": "2"}}  # type: ignore[dict-item]

    assert list(diff.compare(INPUTS, new, "Completed")) == ['sourceFiles["a\\b"]', "sourceFiles"]


def test_size_changes_in_place() -> None:
    """A run that completed is not repeated for a bigger machine."""
    assert diff.compare(INPUTS, {**INPUTS, "cpus": 4.0}, "Completed") == {"cpus": Change(Kind.UPDATE, replaces=False)}


def test_new_maps_and_lists_are_named_whole() -> None:
    """A property that was not there is added."""
    new = {**INPUTS, "triggers": {"again": "1"}, "command": ["python", "other.py"]}

    assert diff.compare(INPUTS, new, "Completed") == {
        "command": Change(Kind.UPDATE, replaces=True),
        "triggers": Change(Kind.ADD, replaces=True),
    }


def test_a_run_that_did_not_complete_is_taken_up_again() -> None:
    """With equal inputs, the status itself is the reason to update."""
    assert diff.compare(INPUTS, dict(INPUTS), "Failed") == {
        "status": Change(Kind.UPDATE, replaces=False, of_input=False)
    }


def test_a_digest_that_differs_counts_though_the_summary_does_not() -> None:
    """The whole digest decides, the summary explains."""
    assert list(diff.compare(INPUTS, {**INPUTS, "sourceDigest": "d2"}, "Completed")) == ["sourceDigest"]
