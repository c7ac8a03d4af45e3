"""The plugin's life over real gRPC, with a fake backend and an engine that only listens."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from aml_infra import naming
from aml_infra.provider import server, wire
from aml_infra.provider.lifecycle import Interruption
from aml_infra.provider.training_runs import TrainingRuns
from aml_infra.provider.wire import UNKNOWN
from tests.unit.provider.plugin import Plugin, open_plugin

URN = "urn:pulumi:test::project::aml-infra:index:TrainingRun::train"


@pytest.fixture
def plugin(tmp_path: pathlib.Path) -> Iterator[Plugin]:
    """A plugin that listens, with a script of a first attempt that fails."""
    source = tmp_path / "src"
    source.mkdir()
    (source / "train.py").write_text("x")
    script = {"lines": ["a line"], "exit_codes": [3, 0], "metrics": {"accuracy": 0.9}}
    given = {
        "source": str(source),
        "command": ["python", "train.py"],
        "image": "image",
        "backend": "fake",
        "backendOptions": {"data_folder": str(tmp_path / "data"), "script": json.dumps(script)},
    }
    interruption = Interruption()
    with open_plugin({naming.RUN_TYPE: TrainingRuns(interruption)}, interruption, URN, given) as plugin:
        yield plugin


def read_failure(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed:
    """The created-but-failed detail of an error, read as the engine reads it."""
    trailers = {item.key: item.value for item in error.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    failure = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failure)
    return failure


def test_a_run_from_check_to_delete(plugin: Plugin) -> None:
    """Check, preview, a failing create, the update that tries again, no diff, read, delete."""
    inputs = plugin.check().inputs

    previewed = plugin.create(inputs, preview=True)
    assert wire.decode(previewed.properties)["status"] is UNKNOWN
    assert previewed.id.startswith("train-")

    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs)
    failure = read_failure(caught.value)
    failed = wire.decode(failure.properties)
    assert (failure.id, failed["status"], failed["exitCode"]) == (previewed.id, "Failed", 3)
    assert "a line" in failure.reasons[0]
    assert failure.inputs == inputs

    difference = plugin.stub.Diff(
        provider_pb2.DiffRequest(urn=URN, id=failure.id, olds=failure.properties, old_inputs=inputs, news=inputs)
    )
    assert list(difference.detailedDiff) == ["status"]
    assert list(difference.replaces) == []

    updated = plugin.stub.Update(
        provider_pb2.UpdateRequest(urn=URN, id=failure.id, olds=failure.properties, old_inputs=inputs, news=inputs)
    )
    outputs = wire.decode(updated.properties)
    assert (outputs["status"], outputs["attempt"], outputs["metrics"]) == ("Completed", 2, {"accuracy": 0.9})

    same = plugin.stub.Diff(
        provider_pb2.DiffRequest(urn=URN, id=failure.id, olds=updated.properties, old_inputs=inputs, news=inputs)
    )
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE

    read = plugin.stub.Read(
        provider_pb2.ReadRequest(urn=URN, id=failure.id, properties=updated.properties, inputs=inputs)
    )
    assert read.id == failure.id
    assert wire.decode(read.properties) == outputs

    plugin.stub.Delete(provider_pb2.DeleteRequest(urn=URN, id=failure.id, properties=updated.properties))
    assert (URN, "a line") in plugin.engine.messages


def test_a_renamed_resource_keeps_its_run(plugin: Plugin) -> None:
    """By an alias, or imported under another name: what goes on is its run, and not another one beside it."""
    inputs = plugin.check().inputs
    with pytest.raises(grpc.RpcError) as caught:
        plugin.create(inputs)
    failure = read_failure(caught.value)

    updated = plugin.stub.Update(
        provider_pb2.UpdateRequest(
            urn=URN.replace("::train", "::renamed"), id=failure.id, olds=failure.properties, news=inputs
        )
    )

    outputs = wire.decode(updated.properties)
    assert (outputs["runId"], outputs["attempt"], outputs["status"]) == (failure.id, 2, "Completed")


def test_a_changed_file_replaces_the_run(plugin: Plugin) -> None:
    """The diff has the file's path as Pulumi writes paths, and its property in ``replaces``."""
    old = plugin.check().inputs
    (pathlib.Path(plugin.given["source"]) / "train.py").write_text("y")
    new = plugin.check().inputs

    difference = plugin.stub.Diff(
        provider_pb2.DiffRequest(urn=URN, id="x", olds=wire.encode({"status": "Completed"}), old_inputs=old, news=new)
    )

    assert list(difference.detailedDiff) == ['sourceFiles["train.py"]']
    assert list(difference.replaces) == ["sourceFiles"]


@pytest.mark.parametrize(
    ("status", "on_destroy", "first"),
    [("Running", "cancel", True), ("Running", "retain", False), ("Completed", "cancel", False)],
)
def test_a_run_that_goes_on_ends_before_its_replacement_starts(
    plugin: Plugin, status: str, on_destroy: str, first: bool
) -> None:
    """Unless it is to be retained, or has ended: the two would train side by side."""
    inputs = plugin.check().inputs
    olds = wire.encode({"status": status, "onDestroy": on_destroy, "runId": "x", "attempt": 1})
    changed = plugin.check(command=["other"]).inputs

    answer = plugin.stub.Diff(provider_pb2.DiffRequest(urn=URN, id="x", olds=olds, old_inputs=inputs, news=changed))

    assert answer.deleteBeforeReplace == first


def test_markup_of_the_engine_is_harmless_in_a_log() -> None:
    """The engine ends itself on markup that it does not know."""
    assert server.make_printable("a <{%foo%}> b") == "a <{ %foo%}> b"


def test_check_answers_with_every_failure(plugin: Plugin) -> None:
    """Each reason starts with the user's property path."""
    answer = plugin.check(command=[], cpus=-1)

    assert [failure.reason.partition(":")[0] for failure in answer.failures] == ["command", "cpus"]


def test_read_of_a_run_that_is_gone_is_empty(plugin: Plugin) -> None:
    """That is how the engine learns that a resource is gone."""
    read = plugin.stub.Read(
        provider_pb2.ReadRequest(urn=URN, id="train-000000000000", properties=plugin.check().inputs)
    )

    assert read.id == ""


def test_another_resource_type_is_refused(plugin: Plugin) -> None:
    """The message names the type, and the one there is."""
    with pytest.raises(grpc.RpcError) as caught:
        plugin.stub.Check(provider_pb2.CheckRequest(urn=URN.replace("TrainingRun", "Sauce")))

    assert "aml-infra:index:Sauce" in str(caught.value.details())


def test_invoke_of_a_function(plugin: Plugin) -> None:
    """A function answers with plain data, and an unknown one with a failure."""
    request = provider_pb2.InvokeRequest(
        tok="aml-infra:index:getImage", args=wire.encode({"image": "x", "backend": "fake"})
    )
    answer = wire.decode(getattr(plugin.stub.Invoke(request), "return"))
    missing = plugin.stub.Invoke(provider_pb2.InvokeRequest(tok="aml-infra:index:getSauce"))

    assert answer == {"digest": "sha256:fake-x"}
    assert "getSauce" in missing.failures[0].reason


def test_schema_has_every_output_of_a_run(plugin: Plugin) -> None:
    """What other languages see is what the run really gives."""
    schema = json.loads(plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    resource = schema["resources"]["aml-infra:index:TrainingRun"]
    previewed = wire.decode(plugin.create(plugin.check().inputs, preview=True).properties)

    assert set(previewed) - {"sourceDigest", "sourceFiles"} <= set(resource["properties"])
    assert {"runId", "status", "metrics"} <= set(previewed)
