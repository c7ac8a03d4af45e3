"""How the states of two stacks are compared."""

from __future__ import annotations

from typing import Any

from tests.faults import deployments


def build_deployment(name: str, folder: str, digits: str, attempt: int, **changes: Any) -> dict[str, Any]:
    """A stack with a run, as `pulumi stack export` has it."""
    run_id = f"{name}-{digits * 12}"
    own = run_id if attempt == 1 else f"{run_id}-{attempt}"
    run = {
        "urn": f"urn:pulumi:local::integration::aml-infra:index:TrainingRun::{name}",
        "id": run_id,
        "type": "aml-infra:index:TrainingRun",
        "modified": f"2026-01-01T00:00:0{attempt}Z",
        "outputs": {
            "attempt": attempt,
            "fingerprint": digits * 64,
            "finishedAt": f"2026-01-01T00:00:0{attempt}Z",
            "logPath": f"{folder}/data/runs/{own}/logs/std_log.txt",
            "status": "Completed",
            **changes,
        },
    }
    return {"resources": [run], "metadata": {}}


def test_stacks_with_the_same_training_are_the_same() -> None:
    """Whatever their names, folders, hashes and times are, and whichever attempt was the successful one."""
    first = deployments.normalize(build_deployment("f1", "/one", "a", 1), name="f1", folder="/one")
    second = deployments.normalize(build_deployment("f2", "/two", "b", 3), name="f2", folder="/two")

    assert deployments.find_differences(first, second) == []


def test_what_is_different_is_told() -> None:
    """An output with another value, and a resource that is there twice."""
    expected = deployments.normalize(build_deployment("f1", "/one", "a", 1), name="f1", folder="/one")
    failed = build_deployment("f1", "/one", "a", 1, status="Failed")
    twice = {"resources": build_deployment("f1", "/one", "a", 1)["resources"] * 2}

    (told,) = deployments.find_differences(expected, deployments.normalize(failed, name="f1", folder="/one"))

    assert '"status": "Failed"' in told
    assert deployments.find_differences(expected, deployments.normalize(twice, name="f1", folder="/one"))


def test_the_run_is_found_where_there_is_one() -> None:
    """An empty state has none yet, and one that is being replaced has two."""
    deployment = build_deployment("f1", "/one", "a", 1)

    assert deployments.find_run(deployment)["status"] == "Completed"
    assert deployments.find_run({}) == {}
    assert deployments.find_run({"resources": deployment["resources"] * 2}) == {}
