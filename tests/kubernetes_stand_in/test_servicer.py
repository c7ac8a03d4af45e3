from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN, Secret
from tests.kubernetes_stand_in import servicer
from tests.kubernetes_stand_in.checkpoints import Checkpoint, build_outputs
from tests.kubernetes_stand_in.conversations import MANAGER, Conversation, Exchange, build_object
from tests.kubernetes_stand_in.transport import UnreachableError
from tests.plugin_stand_ins.calls import Aborted, Context, describe

URN = "urn:pulumi:test::project::aml-infra:index:KubernetesCluster$kubernetes:core/v1:Secret::one"
INPUTS = build_object("Secret", data={"a": "b2xk"})
LIVE = build_object("Secret", data={"a": "b2xk", "b": "b2xk"}, type="Opaque")


class Nobody:
    """A transport to where nobody answers."""

    def ask(self, method: str, path: str, *_: Any) -> Any:
        """Does not come through."""
        raise UnreachableError(f'{method} "https://nobody.invalid{path}": refused')

    stream = ask


def open_plugin(transport: Any, **given: Any) -> tuple[servicer.StandIn, list[str]]:
    """The configured stand-in, and the warnings that it shows."""
    warnings: list[str] = []
    plugin = servicer.StandIn(lambda _, text: warnings.append(text), lambda _: (transport, "team"))
    plugin.Configure(provider_pb2.ConfigureRequest(args=wire.encode(given)), Context())
    return plugin, warnings


def check(inputs: dict[str, Any], transport: Any = None) -> tuple[dict[str, Any], list[str]]:
    """The checked inputs of a secret, and what is wrong with them."""
    plugin, _ = open_plugin(transport or Conversation())
    request = provider_pb2.CheckRequest(urn=URN, news=wire.encode(inputs), randomSeed=b"seed")
    response = plugin.Check(request, Context())
    return wire.decode(response.inputs), [each.reason for each in response.failures]


def build_state(inputs: dict[str, Any] = INPUTS, live: dict[str, Any] = LIVE) -> Any:
    """The secret in the state."""
    return wire.encode(build_outputs(Checkpoint(inputs=inputs, live=live, field_manager="us"), {}))


def diff(new: dict[str, Any], **given: Any) -> provider_pb2.DiffResponse:
    """The secret in the state compared with new inputs."""
    plugin, _ = open_plugin(Conversation(), **given)
    return plugin.Diff(provider_pb2.DiffRequest(urn=URN, olds=build_state(), news=wire.encode(new)), Context())


def test_inputs_are_completed_and_kept_secret() -> None:
    """The name, the namespace, the data in its one form."""
    inputs, problems = check({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": Secret("text")}})

    assert problems == []
    assert inputs["metadata"]["name"].startswith("one-")
    assert inputs["metadata"]["namespace"] == "team"
    assert inputs["data"] == Secret({"a": "dGV4dA=="})
    assert "stringData" not in inputs


def test_problems_are_failures_of_the_check() -> None:
    """Only with a cluster that has a schema."""
    wrong = {**INPUTS, "dat": {}}

    assert check(wrong)[1] == ["dat: could not find member 'dat' on Secret"]
    assert check(wrong, Nobody())[1] == []


def test_nothing_changed_is_no_difference() -> None:
    """What the API server added is none either."""
    assert diff(INPUTS).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_replacement_under_the_same_name_deletes_first() -> None:
    """The contents of a secret are not changed in place, unless that is configured."""
    changed = {**INPUTS, "data": {"a": "bmV3"}}
    response, mutable = diff(changed), diff(changed, enableSecretMutable="true")

    assert describe(response) == {"data.a": "UPDATE_REPLACE"}
    assert response.deleteBeforeReplace
    assert describe(mutable) == {"data.a": "UPDATE"}
    assert not mutable.deleteBeforeReplace


def test_a_replacement_under_another_name_comes_first() -> None:
    """The old one goes afterwards."""
    response = diff({**INPUTS, "metadata": {"name": "two", "namespace": "team"}})

    assert describe(response) == {"metadata.name": "UPDATE_REPLACE"}
    assert not response.deleteBeforeReplace


def test_a_change_of_an_annotation_has_a_quoted_path() -> None:
    """As its name has dots."""
    metadata = {**INPUTS["metadata"], "annotations": {"example.com/a": "b"}}

    assert describe(diff({**INPUTS, "metadata": metadata})) == {"metadata.annotations": "ADD"}
    plugin, _ = open_plugin(Conversation())
    olds = build_state({**INPUTS, "metadata": metadata}, {**LIVE, "metadata": metadata})
    news = wire.encode({**INPUTS, "metadata": {**metadata, "annotations": {"example.com/a": "c"}}})
    request = provider_pb2.DiffRequest(urn=URN, olds=olds, news=news)
    ignoring = provider_pb2.DiffRequest(urn=URN, olds=olds, news=news, ignoreChanges=["metadata.annotations"])

    assert describe(plugin.Diff(request, Context())) == {'metadata.annotations["example.com/a"]': "UPDATE"}
    assert describe(plugin.Diff(ignoring, Context())) == {}


def test_a_preview_with_unknowns_asks_nobody() -> None:
    """Its outputs are its inputs."""
    plugin, _ = open_plugin(Conversation())
    properties = wire.encode({**INPUTS, "data": {"a": UNKNOWN}})
    request = provider_pb2.CreateRequest(urn=URN, properties=properties, preview=True)

    assert plugin.Create(request, Context()).properties == properties


def test_what_was_made_is_in_the_state_with_its_secrets() -> None:
    """Inputs and live object."""
    ask = f"POST /api/v1/namespaces/team/secrets?fieldManager={MANAGER}&fieldValidation=Strict"
    lists = "/api/v1/namespaces/team/secrets?fieldSelector=metadata.name%3Done"
    conversation = Conversation(
        Exchange(ask=ask, sends=INPUTS, answer=LIVE),
        Exchange(ask=f"GET {lists}", answer={"items": [LIVE], "metadata": {"resourceVersion": "7"}}),
        Exchange(ask="GET /api/v1/namespaces/team/secrets/one", answer=LIVE),
    )
    plugin, _ = open_plugin(conversation)
    response = plugin.Create(provider_pb2.CreateRequest(urn=URN, properties=wire.encode(INPUTS)), Context())
    outputs = wire.decode(response.properties)

    assert response.id == "team/one"
    assert outputs["data"] == Secret(LIVE["data"])
    assert outputs["__inputs"]["data"] == Secret(INPUTS["data"])
    conversation.check_end()


def test_a_cluster_out_of_reach_is_no_matter_until_it_is_needed() -> None:
    """A preview goes on, an update does not."""
    plugin, _ = open_plugin(Nobody())
    properties = wire.encode(INPUTS)
    plugin.Create(provider_pb2.CreateRequest(urn=URN, properties=properties, preview=True), Context())

    with pytest.raises(Aborted, match="is unreachable: unable to load schema information"):
        plugin.Create(provider_pb2.CreateRequest(urn=URN, properties=properties), Context())


def test_what_is_out_of_reach_stays_in_the_state() -> None:
    """Unless it is configured that it goes."""
    read, delete = (
        provider_pb2.ReadRequest(urn=URN, id="team/one", properties=build_state()),
        provider_pb2.DeleteRequest(urn=URN, id="team/one", properties=build_state()),
    )
    plugin, warnings = open_plugin(Nobody())
    for call in (lambda: plugin.Read(read, Context()), lambda: plugin.Delete(delete, Context())):
        with pytest.raises(Aborted, match="PULUMI_K8S_DELETE_UNREACHABLE"):
            call()
    dropping, _ = open_plugin(Nobody(), deleteUnreachable="true")
    dropping.Delete(delete, Context())

    assert "nobody.invalid" in warnings[0]
    assert not dropping.Read(read, Context()).id


def test_an_unready_object_of_a_refresh_is_kept_with_the_reasons() -> None:
    """As the engine keeps what failed."""
    urn = URN.replace("core/v1:Secret", "batch/v1:Job")
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one", "namespace": "team"}}
    exchange = Exchange(ask="GET /apis/batch/v1/namespaces/team/jobs/one", answer=job)
    plugin, _ = open_plugin(Conversation(exchange))
    request = provider_pb2.ReadRequest(
        urn=urn, id="team/one", properties=build_state(job, job), inputs=wire.encode(job)
    )
    context = Context()
    with pytest.raises(Aborted, match="created but failed to initialize"):
        plugin.Read(request, context)
    failed = provider_pb2.ErrorResourceInitFailed()
    status_pb2.Status.FromString(context.trailers["grpc-status-details-bin"]).details[0].Unpack(failed)

    assert failed.id == "team/one"
    assert failed.reasons[1].startswith("Waiting for Job to succeed")
    assert wire.decode(failed.inputs) == job


def test_an_unknown_configuration_fails() -> None:
    """With its name."""
    plugin, _ = open_plugin(Conversation())
    request = provider_pb2.CheckRequest(news=wire.encode({"contexts": "a"}))

    assert [each.property for each in plugin.CheckConfig(request, Context()).failures] == ["contexts"]
