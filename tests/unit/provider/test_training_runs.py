from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra.backends import fake
from aml_infra.backends.base import Backend, Status
from aml_infra.backends.fake import FakeBackend, Script
from aml_infra.backends.records import RecordStore
from aml_infra.errors import AmlInfraError, InvalidInput, SourceChanged
from aml_infra.provider import diff, wire
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.resource_type import InitFailed
from aml_infra.provider.training_runs import UNTIL_RUN, TrainingRuns
from aml_infra.provider.wire import UNKNOWN, Secret


class Stage:
    """The resource on a fake backend, and what the user was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.source = folder / "src"
        self.source.mkdir()
        (self.source / "train.py").write_text("x")
        self.records = RecordStore(folder / "data")
        self.script = Script(lines=("a line",), metrics={"accuracy": 0.9})
        self.said: list[str] = []
        self.opened: list[str] = []
        self.runs = TrainingRuns(Interruption(), self.open)
        self.given = {"source": str(self.source), "command": ["python", "train.py"], "image": "image:1"}

    def open(self, name: str, options: Mapping[str, str]) -> Backend:
        """The fake, whatever backend is asked for."""
        self.opened.append(name)
        return FakeBackend(self.records, self.script)

    def change(self, **script: Any) -> None:
        """Changes what happens in place of a training."""
        self.script = dataclasses.replace(self.script, **script)

    def check(self, **changes: Any) -> dict[str, Any]:
        """What the engine keeps of right inputs."""
        checked = self.runs.check({**self.given, **changes})
        assert checked.problems == ()
        return wire.decode(wire.encode(checked.values))

    def ensure(self, values: Mapping[str, Any], old_outputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """``ensure``; gives the outputs, as the engine keeps them."""
        created = self.runs.ensure("train", values, self.said.append, "lr 1 -> 2", old_outputs)
        assert created.resource_id == created.outputs["runId"]
        return wire.decode(wire.encode(created.outputs))

    def fail(self, values: Mapping[str, Any], old_outputs: Mapping[str, Any] | None = None) -> InitFailed:
        """``ensure`` that fails."""
        with pytest.raises(InitFailed) as caught:
            self.ensure(values, old_outputs)
        return caught.value


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Stage:
    """A stage on which nothing was run yet."""
    return Stage(tmp_path)


def test_a_preview_knows_the_run_and_not_its_end(stage: Stage) -> None:
    """Id and fingerprint are known, what only the run makes known is not; nothing is submitted."""
    values = stage.check()

    created = stage.runs.preview("train", values, stage.said.append, "lr 1 -> 2")

    assert created.resource_id == created.outputs["runId"]
    assert {key: created.outputs[key] for key in UNTIL_RUN} == dict.fromkeys(UNTIL_RUN, UNKNOWN)
    assert created.outputs["imageRef"] == "image:1"
    assert stage.said == [f"train: lr 1 -> 2; run {created.resource_id} would be new"]
    assert not stage.records.folder.exists()


def test_a_preview_of_what_is_not_known_says_nothing(stage: Stage) -> None:
    """Neither the run nor its id are known."""
    created = stage.runs.preview("train", stage.check(parameters={"lr": UNKNOWN}), stage.said.append)

    assert created.resource_id == ""
    assert (created.outputs["runId"], created.outputs["fingerprint"]) == (UNKNOWN, UNKNOWN)
    assert stage.said == []


PLACE = {"workspace_name": "pets", "compute_name": "small"}


def test_a_preview_asks_no_compute_that_is_not_there(stage: Stage) -> None:
    """The run's id is known all the same; an image that is used as it is, is not identified yet."""
    place = {**PLACE, "compute_name": UNKNOWN}
    values = stage.check(imageIdentity="sha256:1", backend="azureml", backendOptions=place)
    stage.opened.clear()

    created = stage.runs.preview("train", values, stage.said.append, "lr 1 -> 2")

    told = f"train: lr 1 -> 2; run {created.resource_id}, when its compute is there, if it was not trained already"
    assert (stage.opened, stage.said) == ([], [told])
    assert created.outputs["fingerprint"] is not UNKNOWN
    assert stage.check(backend="azureml", backendOptions=place)["imageIdentity"] is UNKNOWN


def test_a_preview_of_another_cluster_sees_what_was_trained(stage: Stage) -> None:
    """The workspace is the same, so that it can be asked before the new cluster is there."""
    outputs = stage.ensure(stage.check(backend="azureml", backendOptions=PLACE))
    stage.said.clear()
    values = stage.check(imageIdentity="sha256:1", backend="azureml", backendOptions={**PLACE, "compute_name": UNKNOWN})
    values["imageIdentity"] = outputs["imageIdentity"]

    created = stage.runs.preview("train", values, stage.said.append, "", outputs)

    (told,) = stage.said
    assert told.startswith(f"adopt: run {outputs['runId']} finished")
    assert created.outputs["backendOptions"] == values["backendOptions"]


def test_outputs_of_a_run(stage: Stage) -> None:
    """Its inputs, less the summaries that serve the diff, and all that the run made known."""
    values = stage.check(parameters={"lr": 1}, imageParts={"Dockerfile": "1"})

    outputs = stage.ensure(values)

    assert set(outputs) == {*values, *UNTIL_RUN, "runId", "fingerprint", "imageRef", "nodeCount"} - {
        "sourceFiles",
        "imageParts",
    }
    assert (outputs["status"], outputs["metrics"], outputs["exitCode"]) == ("Completed", {"accuracy": 0.9}, 0)
    assert outputs["durationSeconds"] == 1
    assert stage.said == [f"train: lr 1 -> 2; submitting run {outputs['runId']}, attempt 1", "a line"]
    assert diff.compare(values, values, outputs["status"]) == {}


def test_secrets_are_in_no_output_unwrapped(stage: Stage) -> None:
    """Nor in what is said, also where the training prints them."""
    stage.change(lines=("the password is hunter2",), exit_codes=(1,))
    values = stage.check(environmentVariables=Secret({"TOKEN": "hunter2"}))

    failure = stage.fail(values)

    assert failure.outputs["environmentVariables"] == {"TOKEN": Secret("hunter2")}
    assert "hunter2" not in str({**failure.outputs, "environmentVariables": None})
    assert "hunter2" not in str(failure)
    assert not any("hunter2" in text for text in stage.said)


def test_a_run_that_failed_is_in_the_state(stage: Stage) -> None:
    """With its exit code and what it logged; the next attempt follows on it."""
    stage.change(exit_codes=(3, 0))
    values = stage.check()

    failure = stage.fail(values)
    outputs = stage.ensure(values, failure.outputs)

    assert (failure.resource_id, failure.outputs["status"], failure.outputs["exitCode"]) == (
        outputs["runId"],
        "Failed",
        3,
    )
    assert "exit code 3" in str(failure)
    assert (outputs["status"], outputs["attempt"]) == ("Completed", 2)


def test_a_failure_since_the_user_last_heard_of_the_run_is_told(stage: Stage) -> None:
    """It went on when the state was written: another attempt would hide that it has failed. The next one is made."""
    stage.change(exit_codes=(3, 0), running=(1,))
    values = stage.check(wait=False)
    going = stage.ensure(values)
    stage.change(running=())

    failure = stage.fail(values, going)
    outputs = stage.ensure(values, failure.outputs)

    assert going["status"] == "Running"
    assert (failure.outputs["status"], failure.outputs["attempt"]) == ("Failed", 1)
    assert outputs["attempt"] == 2


def test_a_run_that_is_not_waited_for_is_created(stage: Stage) -> None:
    """Its end is not known yet, so that the next update sees it."""
    stage.change(running=(1,))
    values = stage.check(wait=False)

    going = stage.ensure(values)
    stage.change(running=())
    ended = stage.ensure(values, going)

    assert (going["status"], going["metrics"], going["finishedAt"]) == ("Running", {}, None)
    assert list(diff.compare(values, values, going["status"])) == ["status"]
    assert (ended["status"], ended["attempt"]) == ("Completed", 1)


def test_metrics_that_are_not_as_required_fail_the_update(stage: Stage) -> None:
    """The run is kept and not repeated: with the bar lowered, it is adopted."""
    failure = stage.fail(stage.check(requireMetrics=["accuracy >= 0.95"]))
    outputs = stage.ensure(stage.check(requireMetrics=["accuracy >= 0.85"]), failure.outputs)

    assert "accuracy is 0.9, required >= 0.95" in str(failure)
    assert failure.outputs["status"] == "Completed"
    assert (outputs["attempt"], outputs["requireMetrics"]) == (1, ["accuracy >= 0.85"])
    assert stage.said[-1].startswith("adopt: ")


def test_a_source_that_changed_since_it_was_checked_is_not_run(stage: Stage) -> None:
    """What runs is what was fingerprinted."""
    values = stage.check()
    (stage.source / "train.py").write_text("y")

    with pytest.raises(SourceChanged, match="src' changed while `pulumi up` ran"):
        stage.ensure(values)


def test_a_run_that_is_not_known_is_not_made(stage: Stage) -> None:
    """The engine never asks for it; if it did, that would be an error and no other run."""
    with pytest.raises(AmlInfraError, match="not known"):
        stage.ensure(stage.check(parameters={"lr": UNKNOWN}))


@pytest.mark.parametrize(
    ("outputs", "changes", "first"),
    [
        ({"status": "Running", "attempt": 1.0}, {"command": ["other"]}, True),
        ({"status": "Queued", "attempt": 1.0}, {"command": ["other"]}, True),
        ({"status": "Running", "attempt": 1.0, "onDestroy": "retain"}, {"command": ["other"]}, False),
        ({"status": "Completed", "attempt": 1.0}, {"command": ["other"]}, False),
        ({"status": "Running", "attempt": 1.0}, {"cpus": 2.0}, False),
        ({}, {"command": ["other"]}, False),
    ],
)
def test_a_run_that_goes_on_ends_before_its_replacement_starts(
    stage: Stage, outputs: dict[str, Any], changes: dict[str, Any], first: bool
) -> None:
    """Unless it is to be retained, has ended, or is not replaced at all: the two would train side by side."""
    found = stage.runs.compare(stage.check(), outputs, stage.check(**changes))

    assert stage.runs.must_end_first(outputs, found) is first


def test_a_refresh_gives_what_the_service_knows(stage: Stage) -> None:
    """Inputs as they were, outputs as they are now."""
    stage.change(running=(1,))
    values = stage.check(wait=False)
    going = stage.ensure(values)
    stage.change(running=())

    read = stage.runs.read(going["runId"], values, going)

    assert read is not None
    assert read.inputs == values
    assert set(read.outputs) == set(going)
    assert (read.outputs["status"], read.outputs["metrics"]) == ("Completed", {"accuracy": 0.9})


def test_a_refresh_of_a_run_that_is_gone_says_so(stage: Stage) -> None:
    """And only where the service says that there is none."""
    assert stage.runs.read("train-000000000000", stage.check(), {}) is None


@pytest.mark.parametrize(
    ("script", "conditions", "told"),
    [
        ({"exit_codes": (3,)}, [], "is Failed, exit code 3; whole log: /"),
        ({"lost": (1,)}, [], "is NotResponding"),
        ({}, ["accuracy >= 0.95"], "misses require_metrics: accuracy is 0.9, required >= 0.95"),
    ],
)
def test_a_refresh_of_a_run_that_is_not_what_was_asked_for_fails(
    stage: Stage, script: dict[str, Any], conditions: list[str], told: str
) -> None:
    """With what is known of it, which goes into the state."""
    stage.change(running=(1,))
    values = stage.check(wait=False, requireMetrics=conditions)
    going = stage.ensure(values)
    stage.change(running=(), **script)

    with pytest.raises(InitFailed, match=told) as caught:
        stage.runs.read(going["runId"], values, going)

    assert caught.value.resource_id == going["runId"]
    assert set(caught.value.outputs) == set(going)


def test_an_import_takes_the_inputs_from_the_run(stage: Stage) -> None:
    """What the user then writes is no change; the backend is the default one, as nothing says which."""
    values = stage.check(parameters={"lr": 1}, environmentVariables={"TOKEN": Secret("hunter2")})
    outputs = stage.ensure(values)
    stage.opened.clear()

    read = stage.runs.read(outputs["runId"], {}, {})

    assert read is not None
    assert stage.opened == ["docker"]
    assert read.inputs["environmentVariables"] == {"TOKEN": Secret("")}
    assert read.outputs["imageRef"] == "image:1"
    assert {key: read.outputs[key] for key in UNTIL_RUN} == {key: outputs[key] for key in UNTIL_RUN}
    assert diff.compare(read.inputs, values, read.outputs["status"]) == {}


def test_an_import_of_a_failed_run_takes_the_inputs_from_it_too(stage: Stage) -> None:
    """The next `up` makes another attempt at the same run, and not another run."""
    stage.change(exit_codes=(3,))
    values = stage.check(parameters={"lr": 1})
    failed = stage.fail(values)

    with pytest.raises(InitFailed, match="is Failed") as caught:
        stage.runs.read(failed.resource_id, {}, {})

    assert caught.value.inputs is not None
    assert list(diff.compare(caught.value.inputs, values, caught.value.outputs["status"])) == ["status"]


@pytest.mark.parametrize(("on_destroy", "status"), [("cancel", Status.CANCELED), ("retain", Status.RUNNING)])
def test_a_deleted_run_is_stopped_unless_it_is_to_be_retained(stage: Stage, on_destroy: str, status: Status) -> None:
    """Its record stays if it has ended."""
    stage.change(running=(1,))
    outputs = stage.ensure(stage.check(wait=False, onDestroy=on_destroy))

    stage.runs.delete(outputs["runId"], outputs, stage.said.append)

    state = stage.open("fake", {}).describe(outputs["runId"])
    assert state is not None
    assert state.status is status


def test_the_backend_is_opened_with_the_options_that_are_given(tmp_path: pathlib.Path) -> None:
    """A mistake in them is a problem at check, and an error of ours wherever they come from the state."""
    runs = TrainingRuns(Interruption(), lambda _, options: fake.open_backend(options))
    (tmp_path / "train.py").write_text("x")
    given = {"source": str(tmp_path), "command": ["python"], "image": "image:1", "backend": "fake"}
    options = {"data_folder": str(tmp_path / "data"), "script": json.dumps({"sauce": 1})}

    (problem,) = runs.check({**given, "backendOptions": options}).problems

    assert problem.path == "backend_options.script"
    with pytest.raises(InvalidInput):
        runs.delete("train-000000000000", {**given, "backendOptions": options}, print)
