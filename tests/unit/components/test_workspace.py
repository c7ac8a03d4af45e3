from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_azure_native
import pytest
from pulumi.runtime import mocks

from aml_infra.components.role_assignments import Principal
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import ZONES, OutboundRule, WorkspaceArgs
from aml_infra.errors import InvalidInput
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION, TENANT, USER, build_group_id
from tests.unit.components.engine import Engine

NETWORK = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
RULES = {
    "pypi": OutboundRule(fqdn="pypi.org"),
    "monitor": OutboundRule(service_tag="AzureMonitor", port_ranges="443", protocol="TCP"),
    "data": OutboundRule(resource_id="/some/storage", subresource="blob"),
}
EXISTING = f"{build_group_id('rg-pets')}/providers/Microsoft.MachineLearningServices/workspaces/pets"
STORAGE = f"{build_group_id('rg-pets')}/providers/Microsoft.Storage/storageAccounts/petsdata"
FOUND = EXISTING_WORKSPACE

Requests = dict[str, Any]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    """What the program asked the engine for, by the name of the resource."""
    found: Requests = {}
    register = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        found[request.name] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)
    return found


def make(engine: Engine, use: Callable[[Workspace], object] = lambda _: None, **given: Any) -> dict[str, Any]:
    """Makes a workspace called ``pets``; returns its outputs, and those that ``use`` gives."""

    def program() -> dict[str, Any]:
        workspace = Workspace(
            "pets", WorkspaceArgs(**{"location": "westeurope", "public_network_access": True, **given})
        )
        more = use(workspace)
        return {**list_outputs(workspace), **(more if isinstance(more, dict) else {})}

    return engine.run(program)


def list_outputs(workspace: Workspace) -> dict[str, Any]:
    """The outputs of a workspace, by attribute."""
    found = {name: value for name, value in vars(workspace).items() if isinstance(value, pulumi.Output)}
    return {name: value for name, value in found.items() if name in Workspace.__annotations__}


def get_inputs(engine: Engine, name: str) -> Any:
    """The inputs of the resource ``name``."""
    (found,) = [resource.inputs for resource in engine.resources if resource.name == name]
    return found


def list_dependencies(requests: Requests, name: str) -> set[str]:
    """The names of what a resource comes after."""
    return {urn.rpartition("::")[2] for urn in requests[name].dependencies}


def test_the_children_are_pinned(engine: Engine) -> None:
    """A child under another name is another resource: the old one is deleted, with what is in it."""
    make(
        engine,
        lambda workspace: workspace.compute_identity,
        managed_network="allow_only_approved_outbound",
        outbound_rules=RULES,
        private_endpoint_subnet_id=f"{NETWORK}/virtualNetworks/hub/subnets/ml",
        private_dns_zone_ids=[f"{NETWORK}/privateDnsZones/{zone}" for zone in ZONES],
        contributors={"ada": Principal(object_id=USER)},
    )

    assert sorted((resource.name, resource.typ.removeprefix("azure-native:")) for resource in engine.resources) == [
        ("pets", "aml-infra:index:Workspace"),
        ("pets-blob-endpoint", "network:PrivateEndpoint"),
        ("pets-blob-zones", "network:PrivateDnsZoneGroup"),
        ("pets-blobs", "storage:BlobServiceProperties"),
        ("pets-blobs-diagnostics", "monitor:DiagnosticSetting"),
        ("pets-compute-identity", "managedidentity:UserAssignedIdentity"),
        ("pets-compute-identity-storage-storage-blob-data-contributor", "authorization:RoleAssignment"),
        (
            "pets-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader",
            "authorization:RoleAssignment",
        ),
        ("pets-contributor-ada-storage-storage-blob-data-contributor", "authorization:RoleAssignment"),
        ("pets-contributor-ada-workspace-azureml-data-scientist", "authorization:RoleAssignment"),
        ("pets-file-endpoint", "network:PrivateEndpoint"),
        ("pets-file-zones", "network:PrivateDnsZoneGroup"),
        ("pets-group", "resources:ResourceGroup"),
        ("pets-guard", "aml-infra:index:SoftDeletion"),
        ("pets-identity", "managedidentity:UserAssignedIdentity"),
        ("pets-identity-blob-endpoint-reader", "authorization:RoleAssignment"),
        ("pets-identity-file-endpoint-reader", "authorization:RoleAssignment"),
        ("pets-identity-insights-contributor", "authorization:RoleAssignment"),
        ("pets-identity-storage-contributor", "authorization:RoleAssignment"),
        ("pets-identity-storage-storage-blob-data-contributor", "authorization:RoleAssignment"),
        ("pets-identity-storage-storage-file-data-privileged-contributor", "authorization:RoleAssignment"),
        ("pets-identity-vault-contributor", "authorization:RoleAssignment"),
        ("pets-identity-vault-key-vault-administrator", "authorization:RoleAssignment"),
        ("pets-identity-workspace-contributor", "authorization:RoleAssignment"),
        ("pets-insights", "applicationinsights:Component"),
        ("pets-logs", "operationalinsights:Workspace"),
        ("pets-rule-data", "machinelearningservices:ManagedNetworkSettingsRule"),
        ("pets-rule-monitor", "machinelearningservices:ManagedNetworkSettingsRule"),
        ("pets-rule-pypi", "machinelearningservices:ManagedNetworkSettingsRule"),
        ("pets-storage", "storage:StorageAccount"),
        ("pets-vault", "keyvault:Vault"),
        ("pets-vault-diagnostics", "monitor:DiagnosticSetting"),
        ("pets-vault-endpoint", "network:PrivateEndpoint"),
        ("pets-vault-guard", "aml-infra:index:SoftDeletion"),
        ("pets-vault-zones", "network:PrivateDnsZoneGroup"),
        ("pets-workspace", "machinelearningservices:Workspace"),
        ("pets-workspace-diagnostics", "monitor:DiagnosticSetting"),
        ("pets-workspace-endpoint", "network:PrivateEndpoint"),
        ("pets-workspace-zones", "network:PrivateDnsZoneGroup"),
    ]


def test_every_child_belongs_to_the_workspace(engine: Engine, requests: Requests) -> None:
    """So that its options, such as the provider and protect, are theirs."""
    make(engine, lambda workspace: workspace.compute_identity, outbound_rules={"data": RULES["data"]})

    parents = {name: request.parent.rpartition("::")[2] for name, request in requests.items() if request.custom}
    assert set(parents.values()) == {"pets"}


def test_a_provider_is_used_for_everything(engine: Engine) -> None:
    """Also for the question in whose name, which comes first."""

    def program() -> None:
        provider = pulumi_azure_native.Provider("there", subscription_id=SUBSCRIPTION)
        args = WorkspaceArgs(location="westeurope", public_network_access=True)
        _ = Workspace("pets", args, pulumi.ResourceOptions(provider=provider)).compute_identity

    engine.run(program)

    used = [resource.provider for resource in engine.resources if resource.typ.startswith("azure-native:")]
    assert {str(reference).rpartition("::")[2] for reference in used + engine.providers} == {"there"}


def test_the_outputs(engine: Engine) -> None:
    """Of a workspace that is made in a group of its own."""
    outputs = make(engine)

    group = build_group_id("pets-test-tl5s5l7r3n")
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/pets-test-tl5s5l7r3n"
    assert {**outputs, "config_json": json.loads(outputs["config_json"])} == {
        "id": workspace,
        "workspace_name": "pets-test-tl5s5l7r3n",
        "resource_group_name": "pets-test-tl5s5l7r3n",
        "location": "westeurope",
        "subscription_id": SUBSCRIPTION,
        "storage_account_id": f"{group}/providers/Microsoft.Storage/storageAccounts/petstesttl5s5l7r3n",
        "storage_account_name": "petstesttl5s5l7r3n",
        "key_vault_id": f"{group}/providers/Microsoft.KeyVault/vaults/pets-test-tl5s5l7r3n",
        "container_registry_id": None,
        "log_analytics_id": f"{group}/providers/Microsoft.OperationalInsights/workspaces/pets-test-tl5s5l7r3n",
        "identity_principal_id": "principal of pets-test-tl5s5l7r3n",
        "discovery_url": "https://westeurope.api.azureml.ms/discovery",
        "mlflow_tracking_uri": "azureml://westeurope.api.azureml.ms/mlflow/v1.0",
        "studio_url": f"https://ml.azure.com/?wsid={workspace}&tid={TENANT}",
        "config_json": {
            "subscription_id": SUBSCRIPTION,
            "resource_group": "pets-test-tl5s5l7r3n",
            "workspace_name": "pets-test-tl5s5l7r3n",
        },
    }


def test_names_and_a_group_may_be_given(engine: Engine) -> None:
    """Then no group is made, and deleted, here."""
    outputs = make(engine, resource_group="rg-pets", workspace_name="pets", friendly_name="Pets", description="Cats")

    assert "pets-group" not in {resource.name for resource in engine.resources}
    assert (outputs["resource_group_name"], outputs["workspace_name"]) == ("rg-pets", "pets")
    assert outputs["id"] == EXISTING
    inputs = get_inputs(engine, "pets-workspace")
    assert (inputs["friendlyName"], inputs["description"], inputs["resourceGroupName"]) == ("Pets", "Cats", "rg-pets")


def test_a_workspace_is_called_as_its_component(engine: Engine) -> None:
    """In the studio; unless it is said otherwise."""
    make(engine)

    inputs = get_inputs(engine, "pets-workspace")
    assert (inputs["friendlyName"], "description" in inputs) == ("pets", False)


def test_tags_are_on_everything_that_has_some(engine: Engine) -> None:
    """So that costs can be told apart."""
    make(
        engine,
        lambda workspace: workspace.compute_identity,
        tags={"team": "vision"},
        private_endpoint_subnet_id=f"{NETWORK}/virtualNetworks/hub/subnets/ml",
    )

    untagged = {resource.typ.rpartition(":")[2] for resource in engine.resources if "tags" not in resource.inputs}
    assert untagged == {"Workspace", "SoftDeletion", "BlobServiceProperties", "RoleAssignment", "DiagnosticSetting"}
    tags = [resource.inputs["tags"] for resource in engine.resources if "tags" in resource.inputs]
    assert all(each == {"team": "vision"} for each in tags)
    assert "tags" in get_inputs(engine, "pets-workspace")


def test_the_workspace_waits_for_what_its_identity_may_do(engine: Engine, requests: Requests) -> None:
    """The service tries it while the workspace is made."""
    make(engine)

    needed = {name for name in requests if name.startswith("pets-identity-") and "workspace" not in name}
    assert len(needed) == 6
    assert needed | {"pets-guard"} <= list_dependencies(requests, "pets-workspace")


def test_what_is_soft_deleted_goes_in_order(engine: Engine, requests: Requests) -> None:
    """The workspace, its purge, then what belonged to it, then the vault's purge: the reverse of the dependencies."""
    make(engine)

    assert {"pets-storage", "pets-vault"} <= list_dependencies(requests, "pets-guard")
    assert "pets-vault-guard" in list_dependencies(requests, "pets-vault")
    assert "pets-group" in list_dependencies(requests, "pets-vault-guard")


def test_a_workspace_that_is_replaced_is_purged_first(engine: Engine, requests: Requests) -> None:
    """Its guard is replaced for the same reason, and is in between, as the name of the workspace comes from it."""
    make(engine, high_business_impact=True)

    guard = requests["pets-guard"]
    assert (guard.deleteBeforeReplace, guard.replacement_trigger.bool_value) == (True, True)
    for name, property_name, guard_name in (
        ("pets-workspace", "workspaceName", "pets-guard"),
        ("pets-vault", "vaultName", "pets-vault-guard"),
    ):
        urns = requests[name].propertyDependencies[property_name].urns
        assert guard_name in {urn.rpartition("::")[2] for urn in urns}


@pytest.mark.parametrize("protected", [True, False])
def test_a_vault_is_purged_where_azure_allows_it(engine: Engine, protected: bool) -> None:
    """Not with purge protection, which stays on once it is on; the workspace always."""
    make(engine, purge_protection=protected)

    assert get_inputs(engine, "pets-vault-guard")["purge"] is not protected
    assert get_inputs(engine, "pets-guard")["purge"] is True
    assert get_inputs(engine, "pets-vault-guard")["resourceId"] == (
        f"{build_group_id('pets-test-tl5s5l7r3n')}/providers/Microsoft.KeyVault/vaults/pets-test-tl5s5l7r3n"
    )


def test_a_soft_deleted_vault_is_recovered(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it could not be purged: its guard says so."""
    create = engine.new_resource

    def recover(args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        resource_id, outputs = create(args)
        return resource_id, ({**outputs, "mode": "recover"} if args.name == "pets-vault-guard" else outputs)

    monkeypatch.setattr(engine, "new_resource", recover)

    make(engine)

    assert get_inputs(engine, "pets-vault")["properties"]["createMode"] == "recover"


def test_rules_are_made_one_after_the_other(engine: Engine, requests: Requests) -> None:
    """By name: the service refuses two changes of a managed network at a time."""
    make(engine, managed_network="allow_only_approved_outbound", outbound_rules=RULES)

    assert "pets-rule-data" in list_dependencies(requests, "pets-rule-monitor")
    assert "pets-rule-monitor" in list_dependencies(requests, "pets-rule-pypi")
    destinations = {name: get_inputs(engine, f"pets-rule-{name}")["properties"] for name in RULES}
    assert destinations == {
        "pypi": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"},
        "monitor": {
            "type": "ServiceTag",
            "category": "UserDefined",
            "destination": {
                "action": "Allow",
                "serviceTag": "AzureMonitor",
                "portRanges": "443",
                "protocol": "TCP",
            },
        },
        "data": {
            "type": "PrivateEndpoint",
            "category": "UserDefined",
            "destination": {
                "serviceResourceId": "/some/storage",
                "subresourceTarget": "blob",
                "sparkEnabled": False,
            },
        },
    }


def test_what_the_service_changes_itself_is_no_diff(engine: Engine, requests: Requests) -> None:
    """And what cannot be changed in place is replaced, the old one first, as the name is the same."""
    make(engine)

    asked = requests["pets-workspace"]
    assert list(asked.ignoreChanges) == [
        "containerRegistry",
        "managedNetwork.firewallSku",
        "managedNetwork.outboundRules",
        "managedNetwork.status",
    ]
    assert list(asked.replaceOnChanges) == ["hbiWorkspace", "location"]
    assert asked.deleteBeforeReplace is True
    assert list(requests["pets-vault"].replaceOnChanges) == ["location"]
    assert requests["pets-vault"].deleteBeforeReplace is True
    assert list(requests["pets-blobs"].ignoreChanges) == ["cors"]


def test_other_tags_are_no_other_roles(engine: Engine, requests: Requests) -> None:
    """Preview does not know the principal of an identity that is changed, and tags are all that can change of one."""
    make(engine, lambda workspace: workspace.compute_identity)

    for name in ("pets-identity", "pets-compute-identity"):
        assert list(requests[name].ignoreChanges) == ["tags"]


def test_endpoints_are_in_the_zones_that_lead_to_them(engine: Engine) -> None:
    """The workspace is in two."""
    make(
        engine,
        private_endpoint_subnet_id=f"{NETWORK}/virtualNetworks/hub/subnets/ml",
        private_dns_zone_ids=[f"{NETWORK}/privateDnsZones/{zone}" for zone in ZONES if "file" not in zone],
    )

    groups = {
        resource.name: [each["name"] for each in resource.inputs["privateDnsZoneConfigs"]]
        for resource in engine.resources
        if resource.typ == "azure-native:network:PrivateDnsZoneGroup"
    }
    assert groups == {
        "pets-workspace-zones": ["privatelink-api-azureml-ms", "privatelink-notebooks-azure-net"],
        "pets-blob-zones": ["privatelink-blob-core-windows-net"],
        "pets-vault-zones": ["privatelink-vaultcore-azure-net"],
    }
    endpoint = get_inputs(engine, "pets-workspace-endpoint")
    assert endpoint["subnet"] == {"id": f"{NETWORK}/virtualNetworks/hub/subnets/ml"}
    (connection,) = endpoint["privateLinkServiceConnections"]
    assert connection["groupIds"] == ["amlworkspace"]


def test_a_workspace_that_nobody_reaches_is_warned_of(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be meant, and else it is found out when the first job is submitted."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, _: warnings.append(text))

    make(engine)
    make(engine, public_network_access=False, private_endpoint_subnet_id=f"{NETWORK}/virtualNetworks/h/subnets/ml")
    assert warnings == []

    make(engine, public_network_access=False)
    assert warnings == [
        (
            "the workspace can be reached through private endpoints only, and none is made here; set "
            "private_endpoint_subnet_id, or public_network_access"
        )
    ]


def list_contributors(engine: Engine) -> dict[str, tuple[str, str]]:
    """Object id and type of who may train, by the end of the resources' names."""
    return {
        resource.name.removeprefix("pets-contributor-"): (
            resource.inputs["principalId"],
            resource.inputs["principalType"],
        )
        for resource in engine.resources
        if resource.name.startswith("pets-contributor-")
    }


@pytest.mark.parametrize(
    ("client_id", "principal_type"),
    [("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "User"), ("bbbbbbbb-0000-0000-0000-000000000001", "ServicePrincipal")],
)
def test_whoever_deploys_may_train(engine: Engine, client_id: str, principal_type: str) -> None:
    """As a person, or as the application of a pipeline."""
    engine.client["clientId"] = client_id

    make(engine)

    assert list_contributors(engine) == {
        "deployer-workspace-azureml-data-scientist": (USER, principal_type),
        "deployer-storage-storage-blob-data-contributor": (USER, principal_type),
    }


def test_contributors_take_the_place_of_the_deployer(engine: Engine) -> None:
    """Also where there are none."""
    group = "cccccccc-0000-0000-0000-000000000001"
    make(engine, contributors={"team": Principal(object_id=group, type="Group")})

    assert list_contributors(engine) == {
        "team-workspace-azureml-data-scientist": (group, "Group"),
        "team-storage-storage-blob-data-contributor": (group, "Group"),
    }

    engine.resources.clear()
    make(engine, contributors={})

    assert list_contributors(engine) == {}


def test_a_login_without_an_object_id_is_told(engine: Engine) -> None:
    """With what to write instead."""
    engine.client["objectId"] = ""

    with pytest.raises(InvalidInput, match=r"pets\.contributors: is missing, and the login has no object id; list"):
        make(engine)
    assert [resource.name for resource in engine.resources] == ["pets"]


def test_a_missing_login_is_told(engine: Engine) -> None:
    """With Azure's reason, and before anything is made."""
    engine.failure = "please run az login"

    with pytest.raises(InvalidInput) as caught:
        make(engine)

    assert caught.value.lines() == [
        (
            "  - pets: cannot tell who is logged in to Azure; run `az login`, or log in as https://www.pulumi.com/registry/"
            "packages/azure-native/installation-configuration says (please run az login)"
        )
    ]
    assert [resource.name for resource in engine.resources] == ["pets"]


def test_wrong_arguments_make_nothing(engine: Engine) -> None:
    """Not even the group."""
    with pytest.raises(InvalidInput) as caught:
        make(engine, location="West Europe", soft_delete_days=1)

    assert [problem.path for problem in caught.value.problems] == ["pets.location", "pets.soft_delete_days"]
    assert engine.resources == []


def test_the_compute_identity_is_made_once(engine: Engine, requests: Requests) -> None:
    """When it is asked for, with its roles on the storage and on the workspace."""

    def use(workspace: Workspace) -> dict[str, Any]:
        first, second = workspace.compute_identity, workspace.compute_identity
        assert first is second
        return {"identity": first.id, "principal": first.principal_id, "client": first.client_id}

    outputs = make(engine, use)

    assert outputs["identity"].endswith("/userAssignedIdentities/pets-compute-test-afceioluer")
    assert outputs["principal"] == "principal of pets-compute-test-afceioluer"
    assert outputs["client"] == "client of pets-compute-test-afceioluer"
    for name, scope in (
        ("pets-compute-identity-storage-storage-blob-data-contributor", outputs["storage_account_id"]),
        ("pets-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader", outputs["id"]),
    ):
        granted = get_inputs(engine, name)
        assert (granted["scope"], granted["principalId"]) == (scope, outputs["principal"])


def test_whoever_uses_the_compute_identity_waits_for_its_roles(engine: Engine) -> None:
    """A job would start without its data, or its secrets."""
    found: set[str] = set()

    async def look(workspace: Workspace) -> bool:
        resources = await workspace.compute_identity.id.resources()
        found.update([(await resource.urn.future() or "").rpartition("::")[2] for resource in resources])
        return True

    make(engine, lambda workspace: {"done": look(workspace)})

    assert found >= {
        "pets-compute-identity",
        "pets-compute-identity-storage-storage-blob-data-contributor",
        "pets-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader",
    }


def test_the_configuration_is_written(engine: Engine, tmp_path: pathlib.Path) -> None:
    """By ``up``, where the SDKs look for it."""
    path = tmp_path / ".azureml" / "config.json"

    outputs = make(engine, config_path=path)

    assert path.read_text() == outputs["config_json"]


def test_preview_writes_nothing(engine: Engine, tmp_path: pathlib.Path) -> None:
    """Though it knows the text."""
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test", preview=True)

    args = WorkspaceArgs(location="westeurope", config_path=tmp_path / "config.json")
    outputs = engine.run(lambda: {"config": Workspace("pets", args).config_json})

    assert outputs["config"]
    assert list(tmp_path.glob("config.json")) == []


def get(engine: Engine, found: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """Attaches to a workspace that exists, and makes the identity of its computes."""
    engine.workspaces["rg-pets/pets"] = FOUND if found is None else found

    def program() -> dict[str, Any]:
        workspace = Workspace.get("mine", **{"workspace_name": "pets", "resource_group": "rg-pets", **given})
        assert workspace.is_created is False
        return {**list_outputs(workspace), "compute": workspace.compute_identity.id}

    return engine.run(program)


def test_an_existing_workspace_is_attached_to(engine: Engine) -> None:
    """Nothing is made but the identity that is asked for."""
    outputs = get(engine)

    assert sorted(resource.name for resource in engine.resources) == [
        "mine",
        "mine-compute-identity",
        "mine-compute-identity-storage-storage-blob-data-contributor",
        "mine-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader",
    ]
    assert outputs == {
        "id": EXISTING,
        "workspace_name": "pets",
        "resource_group_name": "rg-pets",
        "location": "northeurope",
        "subscription_id": SUBSCRIPTION,
        "storage_account_id": STORAGE,
        "storage_account_name": "petsdata",
        "key_vault_id": FOUND["keyVault"],
        "container_registry_id": None,
        "log_analytics_id": None,
        "identity_principal_id": "the system's",
        "discovery_url": FOUND["discoveryUrl"],
        "mlflow_tracking_uri": FOUND["mlFlowTrackingUri"],
        "studio_url": f"https://ml.azure.com/?wsid={EXISTING}&tid={TENANT}",
        "config_json": outputs["config_json"],
        "compute": f"{build_group_id('rg-pets')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
        "mine-compute-test-5anvjjtzpc",
    }
    identity = get_inputs(engine, "mine-compute-identity")
    assert (identity["location"], identity["resourceGroupName"]) == ("northeurope", "rg-pets")
    scope = get_inputs(engine, "mine-compute-identity-storage-storage-blob-data-contributor")["scope"]
    assert scope == STORAGE


def test_a_workspace_that_is_not_there_is_told(engine: Engine) -> None:
    """With Azure's reason, as it may be there and not be seen."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: Workspace.get("mine", workspace_name="cats", resource_group="rg-pets"))

    assert caught.value.lines() == [
        (
            "  - mine: there is no workspace 'cats' in resource group 'rg-pets' that this login may read; check the "
            "names, and who is logged in (ResourceNotFound: rg-pets/cats)"
        )
    ]


@pytest.mark.parametrize(
    ("identity", "principal_id"),
    [
        (None, ""),
        ({"type": "None"}, ""),
        ({"type": "SystemAssigned", "principalId": "own"}, "own"),
        ({"type": "UserAssigned", "userAssignedIdentities": {"/ID/1": {"principalId": "first"}}}, "first"),
        (
            {
                "type": "SystemAssigned,UserAssigned",
                "principalId": "own",
                "userAssignedIdentities": {"/id/2": {"principalId": "second"}},
            },
            "own",
        ),
    ],
)
def test_the_identity_of_an_existing_workspace(engine: Engine, identity: Any, principal_id: str) -> None:
    """The one that is primary, in whatever case Azure gives its id; else the system's."""
    outputs = get(engine, {**FOUND, "identity": identity, "primaryUserAssignedIdentity": "/id/1"})

    assert outputs["identity_principal_id"] == principal_id


def test_the_subscription_may_be_said(engine: Engine) -> None:
    """In either case; another one than Pulumi works in would be another workspace."""
    assert get(engine, subscription_id=SUBSCRIPTION.upper())["subscription_id"] == SUBSCRIPTION

    other = "22222222-2222-3333-4444-555555555555"
    with pytest.raises(InvalidInput) as caught:
        get(engine, subscription_id=other)
    assert caught.value.lines() == [
        (
            f"  - mine.subscription_id: is {other!r}, and Pulumi works in {SUBSCRIPTION!r}; run `pulumi config set "
            f"azure-native:subscriptionId {other}`, or give a provider for it in opts"
        )
    ]


def test_an_existing_workspace_is_named_as_azure_does(engine: Engine) -> None:
    """All that is wrong is told at once, before Azure is asked."""
    with pytest.raises(InvalidInput) as caught:
        get(engine, workspace_name="my pets", resource_group="", subscription_id="dev")

    assert [problem.path for problem in caught.value.problems] == [
        "mine.subscription_id",
        "mine.resource_group",
        "mine.workspace_name",
    ]
    assert engine.calls == []


def put_config(folder: pathlib.Path, **changed: str) -> pathlib.Path:
    """Writes a ``config.json``."""
    values = {"subscription_id": SUBSCRIPTION, "resource_group": "rg-pets", "workspace_name": "pets", **changed}
    path = folder / "config.json"
    path.write_text(json.dumps(values))
    return path


def test_a_workspace_is_attached_to_by_its_configuration(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the SDKs do; the component is called as the workspace, or as it is said."""
    engine.workspaces["rg-pets/pets"] = FOUND
    put_config(tmp_path)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")

    outputs = engine.run(lambda: list_outputs(Workspace.from_config()))
    engine.run(lambda: Workspace.from_config(tmp_path, name="mine"))

    assert outputs["id"] == EXISTING
    assert [resource.name for resource in engine.resources] == ["pets", "mine"]


def test_a_configuration_that_is_none_is_told(engine: Engine, tmp_path: pathlib.Path) -> None:
    """Under the name of the component, if it has one."""
    with pytest.raises(InvalidInput, match=r"Workspace\.from_config\.path: nothing\.json is not in "):
        engine.run(lambda: Workspace.from_config(tmp_path / "nothing.json"))
    path = put_config(tmp_path, workspace_name="")
    with pytest.raises(InvalidInput, match=r"mine\.path: .* workspace_name: is '', 0 characters; allowed are 3 to 33"):
        engine.run(lambda: Workspace.from_config(path, name="mine"))
