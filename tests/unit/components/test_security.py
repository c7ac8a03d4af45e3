"""One test for each row of docs/security.md, on what is sent to Azure."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest

from aml_infra.attached_clusters import InstanceType
from aml_infra.backends import azureml_request
from aml_infra.backends.azureml_request import Place
from aml_infra.components import role_assignments
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.aks_cluster_args import AksClusterArgs
from aml_infra.components.gpu_cluster import GpuCluster, GpuClusterArgs
from aml_infra.components.kubernetes_compute import KubernetesCompute
from aml_infra.components.kubernetes_compute_args import KubernetesComputeArgs
from aml_infra.components.registry import Registry, RegistryArgs
from aml_infra.components.role_assignments import Principal
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import ZONES, OutboundRule, WorkspaceArgs
from aml_infra.errors import InvalidInput
from aml_infra.spec import RunSpec
from tests.unit.components.azure_resources import TENANT, USER, build_group_id
from tests.unit.components.engine import Engine
from tests.unit.docs import documents

TEXT = documents.read("docs/security.md")
NETWORK = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/hub/subnets/ml"
TESTS: dict[str, str] = {}
"""The argument that each test says changes the setting, by the row that it is about."""

MADE: dict[str, list[pulumi.runtime.MockResourceArgs]] = {}
"""What each program made, by the arguments that it was run with."""

Test = Callable[..., None]
Made = Mapping[str, Any]


def row(setting: str, argument: str = "") -> Callable[[Test], Test]:
    """Says which row of the table a test is about, and which argument it tries."""
    assert setting not in TESTS
    TESTS[setting] = argument
    return lambda test: test


def run_once(engine: Engine, program: Callable[[], None], *arguments: object) -> None:
    """Runs a program, unless one with the same arguments was run by another test: then what that one made is there."""
    if repr(arguments) not in MADE:
        engine.resources.clear()
        engine.run(program)
        MADE[repr(arguments)] = list(engine.resources)
    engine.resources[:] = MADE[repr(arguments)]


def make_workspace(engine: Engine, **given: Any) -> Made:
    """Makes a workspace called ``pets``; gives the inputs of each resource, by its name without that."""

    def program() -> None:
        _ = Workspace("pets", WorkspaceArgs(**{"location": "westeurope", **given})).compute_identity

    run_once(engine, program, "workspace", given)
    return {resource.name.removeprefix("pets-"): resource.inputs for resource in engine.resources}


@pytest.fixture
def make(engine: Engine) -> Callable[..., Made]:
    """Makes a workspace with the arguments that it is given."""
    return functools.partial(make_workspace, engine)


def list_grants(made: Made, principal: str) -> set[tuple[str, str]]:
    """Every role that a principal gets, with the type of the resource that it is for."""
    names = {role_id: role for role, role_id in role_assignments.ROLES.items()}
    return {
        (names[inputs["roleDefinitionId"].rpartition("/")[2]], inputs["scope"].split("/")[-2])
        for inputs in made.values()
        if "roleDefinitionId" in inputs and inputs["principalId"] == principal
    }


def test_each_row_has_a_test() -> None:
    """And the other way round, with the argument that changes it."""
    rows = [cells for table in documents.list_tables(TEXT) for cells in table]

    assert [(cells["setting"], documents.unquote(cells["argument"])) for cells in rows] == list(TESTS.items())


def test_the_arguments_exist() -> None:
    """Each that a row or the text names."""
    args = (WorkspaceArgs, RegistryArgs, GpuClusterArgs, KubernetesComputeArgs, AksClusterArgs)
    fields = {field.name for each in args for field in dataclasses.fields(each)}

    assert {argument for argument in TESTS.values() if argument} <= fields
    assert set(re.findall(r"`([a-z]+_[a-z_]+)", TEXT)) - fields == set()


@row("access from the internet", "public_network_access")
def test_workspace_public_access(make: Callable[..., Made]) -> None:
    """Off, unless it is allowed."""
    assert make()["workspace"]["publicNetworkAccess"] == "Disabled"
    assert make(public_network_access=True)["workspace"]["publicNetworkAccess"] == "Enabled"


@row("private endpoint", "private_endpoint_subnet_id")
def test_private_endpoints(make: Callable[..., Made]) -> None:
    """For all that whoever works in the workspace must reach, if there is a subnet."""
    assert [name for name in make() if name.endswith("-endpoint")] == []

    made = make(private_endpoint_subnet_id=SUBNET)

    groups = {
        name: [connection["groupIds"] for connection in inputs["privateLinkServiceConnections"]]
        for name, inputs in made.items()
        if name.endswith("-endpoint")
    }
    assert groups == {
        "workspace-endpoint": [["amlworkspace"]],
        "blob-endpoint": [["blob"]],
        "file-endpoint": [["file"]],
        "vault-endpoint": [["vault"]],
    }
    assert all(made[name]["subnet"] == {"id": SUBNET} for name in groups)


@row("private DNS zones", "private_dns_zone_ids")
def test_private_dns_zones(make: Callable[..., Made]) -> None:
    """Each endpoint is in its own."""
    zones = [f"{NETWORK}/privateDnsZones/{zone}" for zone in ZONES]

    made = make(private_endpoint_subnet_id=SUBNET, private_dns_zone_ids=zones)

    registered = {
        zone["privateDnsZoneId"].rpartition("/")[2]: name.removesuffix("-zones")
        for name, inputs in made.items()
        for zone in inputs.get("privateDnsZoneConfigs", [])
    }
    assert registered == ZONES


@row("managed network", "managed_network")
def test_managed_network(make: Callable[..., Made]) -> None:
    """There is one, unless it is disabled."""
    choices = ("allow_internet_outbound", "allow_only_approved_outbound", "disabled")
    modes = [make(managed_network=choice)["workspace"]["managedNetwork"]["isolationMode"] for choice in choices]

    assert modes == ["AllowInternetOutbound", "AllowOnlyApprovedOutbound", "Disabled"]
    assert make()["workspace"]["managedNetwork"]["isolationMode"] == "AllowInternetOutbound"


@row("outbound rules", "outbound_rules")
def test_outbound_rules(make: Callable[..., Made]) -> None:
    """Only those that are given."""
    rules = {
        "storage": OutboundRule(resource_id="/some/storage", subresource="blob"),
        "pypi": OutboundRule(fqdn="pypi.org"),
        "apps": OutboundRule(service_tag="AppService", port_ranges="80,443", protocol="TCP"),
    }

    made = make(managed_network="allow_only_approved_outbound", outbound_rules=rules)

    kinds = {name: inputs["properties"]["type"] for name, inputs in made.items() if name.startswith("rule-")}
    assert kinds == {"rule-storage": "PrivateEndpoint", "rule-pypi": "FQDN", "rule-apps": "ServiceTag"}


@row("access to datastores")
def test_datastores(make: Callable[..., Made]) -> None:
    """No key is kept anywhere."""
    assert make()["workspace"]["systemDatastoresAuthMode"] == "Identity"


@row("identity of the workspace")
def test_identity(make: Callable[..., Made]) -> None:
    """One of its own, which it works with."""
    workspace = make()["workspace"]

    identity = workspace["primaryUserAssignedIdentity"]
    assert identity.endswith("/Microsoft.ManagedIdentity/userAssignedIdentities/pets-test-tl5s5l7r3n")
    assert workspace["identity"] == {"type": "UserAssigned", "userAssignedIdentities": [identity]}


@row("roles of the identity")
def test_identity_roles(make: Callable[..., Made]) -> None:
    """On what belongs to the workspace, and neither on the group nor on the subscription."""
    granted = list_grants(make(private_endpoint_subnet_id=SUBNET), "principal of pets-test-tl5s5l7r3n")

    assert granted == {
        ("Contributor", "workspaces"),
        ("Contributor", "storageAccounts"),
        ("Storage Blob Data Contributor", "storageAccounts"),
        ("Storage File Data Privileged Contributor", "storageAccounts"),
        ("Contributor", "vaults"),
        ("Key Vault Administrator", "vaults"),
        ("Contributor", "components"),
        ("Reader", "privateEndpoints"),
    }


@row("type of principals", "contributors")
def test_principal_types(make: Callable[..., Made]) -> None:
    """Azure would guess, and fail on those that are new."""
    made = make(contributors={"team": Principal(object_id=USER, type="Group")})

    types = {
        (inputs["principalId"] == USER, inputs["principalType"])
        for inputs in made.values()
        if "roleDefinitionId" in inputs
    }
    assert types == {(True, "Group"), (False, "ServicePrincipal")}


@row("who may train", "contributors")
def test_contributors(make: Callable[..., Made]) -> None:
    """They may neither change the workspace nor read its secrets."""
    roles = {("AzureML Data Scientist", "workspaces"), ("Storage Blob Data Contributor", "storageAccounts")}
    other = "cccccccc-0000-0000-0000-000000000001"

    assert list_grants(make(), USER) == roles
    listed = make(contributors={"ada": Principal(object_id=other)})
    assert (list_grants(listed, other), list_grants(listed, USER)) == (roles, set())


@row("identity of computes")
def test_compute_identity(make: Callable[..., Made]) -> None:
    """Code that is trained with is not to be trusted with more."""
    granted = list_grants(make(), "principal of pets-compute-test-afceioluer")

    assert granted == {
        ("Storage Blob Data Contributor", "storageAccounts"),
        ("Azure Machine Learning Workspace Connection Secrets Reader", "workspaces"),
    }


@row("high business impact", "high_business_impact")
def test_high_business_impact(make: Callable[..., Made]) -> None:
    """It is always said."""
    assert make()["workspace"]["hbiWorkspace"] is False
    assert make(high_business_impact=True)["workspace"]["hbiWorkspace"] is True


@row("API of version 1")
def test_legacy_mode(make: Callable[..., Made]) -> None:
    """Off."""
    assert make()["workspace"]["v1LegacyMode"] is False


def check_diagnostics(made: Made, name: str, resource_id: str) -> None:
    """All logs and metrics of a resource go to Log Analytics."""
    setting = made[f"{name}-diagnostics"]
    assert setting["resourceUri"].endswith(resource_id)
    assert setting["logs"] == [{"categoryGroup": "allLogs", "enabled": True}]
    assert setting["metrics"] == [{"category": "AllMetrics", "enabled": True}]
    assert setting["workspaceId"].endswith("/Microsoft.OperationalInsights/workspaces/pets-test-tl5s5l7r3n")


@row("logs and metrics of the workspace")
def test_workspace_diagnostics(make: Callable[..., Made]) -> None:
    """Who did what."""
    check_diagnostics(make(), "workspace", "/Microsoft.MachineLearningServices/workspaces/pets-test-tl5s5l7r3n")


@row("tags", "tags")
def test_tags(make: Callable[..., Made]) -> None:
    """What has a bill has a tag."""
    made = make(tags={"team": "vision"}, private_endpoint_subnet_id=SUBNET)

    tagged = {name for name, inputs in made.items() if inputs.get("tags") == {"team": "vision"}}
    assert tagged == {
        "group",
        "storage",
        "vault",
        "logs",
        "insights",
        "identity",
        "compute-identity",
        "workspace",
        "workspace-endpoint",
        "blob-endpoint",
        "file-endpoint",
        "vault-endpoint",
    }


@row("account keys")
def test_account_keys(make: Callable[..., Made]) -> None:
    """Nobody can use one, so nobody can lose one."""
    assert make(public_network_access=True)["storage"]["allowSharedKeyAccess"] is False


@row("anonymous blobs")
def test_anonymous_blobs(make: Callable[..., Made]) -> None:
    """Also not where the account can be reached from the internet."""
    assert make(public_network_access=True)["storage"]["allowBlobPublicAccess"] is False


@row("least TLS version")
def test_tls(make: Callable[..., Made]) -> None:
    """Older ones are refused."""
    assert make()["storage"]["minimumTlsVersion"] == "TLS1_2"


@row("HTTPS only")
def test_https(make: Callable[..., Made]) -> None:
    """Nothing in plain text."""
    assert make()["storage"]["enableHttpsTrafficOnly"] is True


@row("double encryption")
def test_double_encryption(make: Callable[..., Made]) -> None:
    """It can be chosen only when the account is made."""
    assert make()["storage"]["encryption"] == {
        "keySource": "Microsoft.Storage",
        "requireInfrastructureEncryption": True,
    }


@row("firewall of the storage", "public_network_access")
def test_storage_firewall(make: Callable[..., Made]) -> None:
    """The workspace that may pass is this one."""
    made = make()

    workspace = made["workspace-diagnostics"]["resourceUri"]
    assert made["storage"]["networkRuleSet"] == {
        "bypass": "AzureServices",
        "defaultAction": "Deny",
        "resourceAccessRules": [{"resourceId": workspace, "tenantId": TENANT}],
    }
    assert make(public_network_access=True)["storage"]["networkRuleSet"] == {
        "bypass": "AzureServices",
        "defaultAction": "Allow",
    }


@row("the storage from the internet", "public_network_access")
def test_storage_public_access(make: Callable[..., Made]) -> None:
    """As the workspace."""
    assert make()["storage"]["publicNetworkAccess"] == "Disabled"
    assert make(public_network_access=True)["storage"]["publicNetworkAccess"] == "Enabled"


@row("copies to other tenants")
def test_cross_tenant_replication(make: Callable[..., Made]) -> None:
    """Not by replication."""
    assert make()["storage"]["allowCrossTenantReplication"] is False


@row("local users")
def test_local_users(make: Callable[..., Made]) -> None:
    """They would have passwords."""
    assert make()["storage"]["isLocalUserEnabled"] is False


@row("default authorization in the portal")
def test_default_authorization(make: Callable[..., Made]) -> None:
    """The portal tries no keys."""
    assert make()["storage"]["defaultToOAuthAuthentication"] is True


@row("deleted blobs and containers")
def test_deleted_blobs(make: Callable[..., Made]) -> None:
    """Both alike."""
    blobs = make()["blobs"]

    kept = {"enabled": True, "days": 7}
    assert (blobs["deleteRetentionPolicy"], blobs["containerDeleteRetentionPolicy"]) == (kept, kept)


@row("redundancy", "storage_redundancy")
def test_redundancy(make: Callable[..., Made]) -> None:
    """In one data centre, unless more is paid for."""
    assert make()["storage"]["sku"] == {"name": "Standard_LRS"}
    assert make(storage_redundancy="Standard_GZRS")["storage"]["sku"] == {"name": "Standard_GZRS"}


@row("logs and metrics of blobs")
def test_blob_diagnostics(make: Callable[..., Made]) -> None:
    """Who read what."""
    check_diagnostics(make(), "blobs", "/Microsoft.Storage/storageAccounts/petstesttl5s5l7r3n/blobServices/default")


@row("access to secrets")
def test_vault_roles(make: Callable[..., Made]) -> None:
    """Access policies would be wiped when the vault is deployed again."""
    vault = make()["vault"]["properties"]

    assert vault["enableRbacAuthorization"] is True
    assert "accessPolicies" not in vault


@row("deleted vault", "soft_delete_days")
def test_vault_soft_delete(make: Callable[..., Made]) -> None:
    """For as long as Azure allows, by default."""
    vaults = [make(**given)["vault"]["properties"] for given in ({}, {"soft_delete_days": 7})]

    assert [vault["enableSoftDelete"] for vault in vaults] == [True, True]
    assert [vault["softDeleteRetentionInDays"] for vault in vaults] == [90, 7]


@row("purge protection", "purge_protection")
def test_vault_purge_protection(make: Callable[..., Made]) -> None:
    """Azure takes True or nothing."""
    assert make()["vault"]["properties"]["enablePurgeProtection"] is True
    assert "enablePurgeProtection" not in make(purge_protection=False)["vault"]["properties"]


@row("firewall of the key vault")
def test_vault_firewall(make: Callable[..., Made]) -> None:
    """Also where the workspace can be reached from the internet."""
    closed = {"bypass": "AzureServices", "defaultAction": "Deny"}

    for public in (False, True):
        assert make(public_network_access=public)["vault"]["properties"]["networkAcls"] == closed


@row("the key vault from the internet", "public_network_access")
def test_vault_public_access(make: Callable[..., Made]) -> None:
    """As the workspace."""
    assert make()["vault"]["properties"]["publicNetworkAccess"] == "Disabled"
    assert make(public_network_access=True)["vault"]["properties"]["publicNetworkAccess"] == "Enabled"


@row("secrets for virtual machines and templates")
def test_vault_deployments(make: Callable[..., Made]) -> None:
    """It is for secrets of the workspace."""
    vault = make()["vault"]["properties"]

    assert [vault[f"enabledFor{use}"] for use in ("Deployment", "DiskEncryption", "TemplateDeployment")] == [False] * 3


@row("logs and metrics of the key vault")
def test_vault_diagnostics(make: Callable[..., Made]) -> None:
    """Who asked for which secret."""
    check_diagnostics(make(), "vault", "/Microsoft.KeyVault/vaults/pets-test-tl5s5l7r3n")


@row("days of logs", "log_retention_days")
def test_log_retention(make: Callable[..., Made]) -> None:
    """What costs nothing more, by default."""
    assert make()["logs"]["retentionInDays"] == 30
    assert make(log_retention_days=365)["logs"]["retentionInDays"] == 365


@row("keys of Log Analytics")
def test_log_keys(make: Callable[..., Made]) -> None:
    """Nobody writes logs with one."""
    assert make()["logs"]["features"]["disableLocalAuth"] is True


@row("who reads logs")
def test_log_access(make: Callable[..., Made]) -> None:
    """No more than they see anyway."""
    assert make()["logs"]["features"]["enableLogAccessUsingOnlyResourcePermissions"] is True


@row("keys of Application Insights")
def test_insights_keys(make: Callable[..., Made]) -> None:
    """Nobody writes telemetry with one."""
    assert make()["insights"]["disableLocalAuth"] is True


@row("data of Application Insights")
def test_insights_data(make: Callable[..., Made]) -> None:
    """With the same days and the same access."""
    insights = make()["insights"]

    assert insights["ingestionMode"] == "LogAnalytics"
    assert insights["workspaceResourceId"].endswith("/Microsoft.OperationalInsights/workspaces/pets-test-tl5s5l7r3n")


def make_registry(engine: Engine, *, public: bool = False, **given: Any) -> Made:
    """Makes the registry ``images`` of a workspace; gives the inputs of its resources, by name without that."""

    def program() -> None:
        args = WorkspaceArgs(location="westeurope", public_network_access=public, private_endpoint_subnet_id=SUBNET)
        Registry("images", RegistryArgs(workspace=Workspace("pets", args), **given))

    run_once(engine, program, "registry", public, given)
    own = [resource for resource in engine.resources if resource.name.startswith("images-")]
    return {resource.name.removeprefix("images-"): resource.inputs for resource in own}


@row("admin user of the registry")
def test_registry_admin(engine: Engine) -> None:
    """There is no password that could leak."""
    assert make_registry(engine)["registry"]["adminUserEnabled"] is False


@row("anonymous pull")
def test_registry_anonymous_pull(engine: Engine) -> None:
    """Also where it can be reached from the internet."""
    for public in (False, True):
        assert make_registry(engine, public=public)["registry"]["anonymousPullEnabled"] is False


@row("data endpoints")
def test_registry_data_endpoints(engine: Engine) -> None:
    """No more addresses than it needs."""
    assert make_registry(engine)["registry"]["dataEndpointEnabled"] is False


@row("size of the registry", "sku")
def test_registry_sku(engine: Engine) -> None:
    """What is closed needs the largest."""
    assert make_registry(engine)["registry"]["sku"] == {"name": "Premium"}
    assert make_registry(engine, public=True)["registry"]["sku"] == {"name": "Standard"}
    assert make_registry(engine, public=True, sku="Basic")["registry"]["sku"] == {"name": "Basic"}


@row("the registry from the internet", "public_network_access")
def test_registry_public_access(engine: Engine) -> None:
    """As the workspace, unless it is said."""
    assert make_registry(engine)["registry"]["publicNetworkAccess"] == "Disabled"
    assert make_registry(engine, public=True)["registry"]["publicNetworkAccess"] == "Enabled"
    assert make_registry(engine, public_network_access=True)["registry"]["publicNetworkAccess"] == "Enabled"


@row("private endpoint of the registry", "private_endpoint_subnet_id")
def test_registry_endpoint(engine: Engine) -> None:
    """Where what pulls and pushes can reach it."""
    assert make_registry(engine)["registry-endpoint"]["subnet"] == {"id": SUBNET}
    own = make_registry(engine, public=True, private_endpoint_subnet_id=f"{SUBNET}-2")
    assert own["registry-endpoint"]["subnet"] == {"id": f"{SUBNET}-2"}
    assert "registry-endpoint" not in make_registry(engine, public=True)


@row("private DNS zone of the registry", "private_dns_zone_ids")
def test_registry_zone(engine: Engine) -> None:
    """The endpoint is registered in it."""
    zone = f"{NETWORK}/privateDnsZones/privatelink.azurecr.io"

    (registered,) = make_registry(engine, private_dns_zone_ids=[zone])["registry-zones"]["privateDnsZoneConfigs"]

    assert registered["privateDnsZoneId"] == zone


@row("export of images elsewhere")
def test_registry_export(engine: Engine) -> None:
    """Azure takes that only where it is closed."""
    assert make_registry(engine)["registry"]["policies"]["exportPolicy"] == {"status": "disabled"}
    open_one = make_registry(engine, public=True, sku="Premium")
    assert open_one["registry"]["policies"]["exportPolicy"] == {"status": "enabled"}


@row("zones", "zone_redundancy")
def test_registry_zones(engine: Engine) -> None:
    """A region without zones has to say so."""
    assert make_registry(engine)["registry"]["zoneRedundancy"] == "Enabled"
    assert make_registry(engine, zone_redundancy=False)["registry"]["zoneRedundancy"] == "Disabled"


@row("untagged images")
def test_registry_retention(engine: Engine) -> None:
    """What nobody refers to by name does not stay for ever."""
    assert make_registry(engine)["registry"]["policies"]["retentionPolicy"] == {"days": 15, "status": "enabled"}


@row("quarantine")
def test_registry_quarantine(engine: Engine) -> None:
    """An image in it cannot be pulled."""
    assert make_registry(engine)["registry"]["policies"]["quarantinePolicy"] == {"status": "disabled"}


def list_roles(made: Made, name: str) -> tuple[str, str]:
    """The role of an assignment, and the type of who has it."""
    names = {role_id: role for role, role_id in role_assignments.ROLES.items()}
    return names[made[name]["roleDefinitionId"].rpartition("/")[2]], made[name]["principalType"]


@row("who may pull")
def test_registry_pull(engine: Engine) -> None:
    """By their identities, as there is no password."""
    made = make_registry(engine)

    for name in ("compute-pull", "workspace-pull"):
        assert list_roles(made, name) == ("AcrPull", "ServicePrincipal")


@row("who may push", "pushers")
def test_registry_push(engine: Engine) -> None:
    """Nobody else."""
    made = make_registry(engine)
    assert list_roles(made, "deployer-push") == ("AcrPush", "User")
    assert made["deployer-push"]["principalId"] == USER
    group = Principal(object_id="aaaaaaaa-0000-0000-0000-000000000009", type="Group")
    made = make_registry(engine, pushers={"team": group})
    assert [name for name in made if name.endswith("-push")] == ["team-push"]
    assert list_roles(made, "team-push") == ("AcrPush", "Group")


@row("logs and metrics of the registry")
def test_registry_diagnostics(engine: Engine) -> None:
    """Who pulled and pushed what."""
    made = make_registry(engine)

    name = made["registry"]["registryName"]
    check_diagnostics({"registry-diagnostics": made["diagnostics"]}, "registry", f"/registries/{name}")


def make_cluster(engine: Engine, **given: Any) -> tuple[Any, Any]:
    """Makes a cluster of a workspace; gives its inputs, and the properties among them."""
    network = given.pop("managed_network", "allow_internet_outbound")

    def program() -> None:
        args = WorkspaceArgs(location="westeurope", managed_network=network, public_network_access=True)
        GpuCluster("gpu", GpuClusterArgs(workspace=Workspace("pets", args), **given))

    run_once(engine, program, "cluster", network, given)
    inputs = engine.find("azure-native:machinelearningservices:Compute").inputs
    return inputs, inputs["properties"]["properties"]


@row("port for SSH")
def test_cluster_ssh(engine: Engine) -> None:
    """Nobody logs in."""
    _, properties = make_cluster(engine)

    assert properties["remoteLoginPortPublicAccess"] == "Disabled"


@row("accounts on nodes")
def test_cluster_accounts(engine: Engine) -> None:
    """Neither does anybody from within the network."""
    inputs, properties = make_cluster(engine)

    assert inputs["properties"]["disableLocalAuth"] is True
    assert "userAccountCredentials" not in properties


@row("identity of nodes")
def test_cluster_identity(engine: Engine) -> None:
    """What runs there may do what that one may."""
    inputs, _ = make_cluster(engine)

    (identity,) = [one for one in engine.resources if one.name == "pets-compute-identity"]
    assert inputs["identity"]["type"] == "UserAssigned"
    assert [each.rpartition("/")[2] for each in inputs["identity"]["userAssignedIdentities"]] == [
        identity.inputs["resourceName"]
    ]


@row("public addresses of nodes", "node_public_ip")
def test_cluster_public_addresses(engine: Engine) -> None:
    """Unless nothing else would lead to them, or they are asked for."""
    assert make_cluster(engine)[1]["enableNodePublicIp"] is False
    assert make_cluster(engine, managed_network="disabled")[1]["enableNodePublicIp"] is True
    assert make_cluster(engine, node_public_ip=True)[1]["enableNodePublicIp"] is True


@row("subnet of nodes", "subnet_id")
def test_cluster_subnet(engine: Engine) -> None:
    """The workspace's own network, or one of the user's."""
    assert make_cluster(engine, managed_network="disabled", subnet_id=SUBNET)[1]["subnet"] == {"id": SUBNET}
    assert "subnet" not in make_cluster(engine)[1]


@row("secret variables of jobs")
def test_secret_variables() -> None:
    """A job says where they are, and nothing more; what is there belongs to this workspace alone."""
    spec = RunSpec(
        name="train",
        source_digest="s",
        command=("python", "train.py"),
        image="azureml:fastai:1",
        image_identity="i",
        secrets={"TOKEN": "hunter2"},
    )
    place = Place(subscription_id="s", resource_group="g", workspace_name="pets", compute_name="gpu")

    request = azureml_request.build_request(place, spec, 1)
    job, connection = azureml_request.complete(request, "t"), azureml_request.build_connection(spec.secrets)

    assert "hunter2" not in f"{request}{job}"
    assert job["properties"]["environmentVariables"]["AML_INFRA_SECRETS"].endswith(
        "/workspaces/pets/connections/aml-infra-t"
    )
    assert connection["properties"]["isSharedToAll"] is False
    assert connection["properties"]["credentials"] == {"keys": {"TOKEN": "hunter2"}}


def make_attached(engine: Engine, **given: Any) -> Made:
    """Attaches a cluster to a workspace; gives the inputs of each resource, by its name."""
    cluster = f"{build_group_id('rg')}/providers/Microsoft.ContainerService/managedClusters/aks"
    engine.clusters["aks"] = {"id": cluster, "name": "aks", "location": "westeurope"}

    def program() -> None:
        workspace = Workspace("pets", WorkspaceArgs(location="westeurope", public_network_access=True))
        sizes = {"small": InstanceType(cpus=1, memory_gb=2)}
        args = KubernetesComputeArgs(workspace=workspace, cluster=cluster, instance_types=sizes, **given)
        KubernetesCompute("vision", args)

    run_once(engine, program, "attached", given)
    return {resource.name: resource.inputs for resource in engine.resources}


@row("roles on the attached cluster", "grant_roles")
def test_attached_roles(engine: Engine) -> None:
    """Nobody else gets any, and none is given where they are there."""

    def list_roles_there(made: Made) -> set[tuple[str, str]]:
        principal = f"principal of {made['pets-identity']['resourceName']}"
        return {grant for grant in list_grants(made, principal) if grant[1] == "managedClusters"}

    made = make_attached(engine)
    assert {role for role, _ in list_roles_there(made)} == {
        "Reader",
        "Kubernetes Extension Contributor",
        "Azure Kubernetes Service Cluster Admin Role",
    }
    on_cluster = [each for each in made.values() if "/managedClusters/" in str(each.get("scope", ""))]
    assert len(on_cluster) == 3
    assert list_roles_there(make_attached(engine, grant_roles=False)) == set()


@row("models that are served there", "extension_settings")
def test_attached_inference(engine: Engine) -> None:
    """In any case nobody speaks to them without TLS."""
    settings = {
        "enableInference": "True",
        "inferenceRouterServiceType": "ClusterIP",
        "sslCname": "models.example.com",
        "sslSecret": "tls",
    }
    found = [
        make_attached(engine, **given)["vision-extension"]["configurationSettings"]
        for given in ({}, {"extension_settings": settings})
    ]

    assert [each["enableInference"] for each in found] == ["False", "True"]
    assert [each["allowInsecureConnections"] for each in found] == ["False", "False"]
    with pytest.raises(InvalidInput, match="allowInsecureConnections"):
        make_attached(engine, extension_settings={"allowInsecureConnections": "True"})


@row("releases of the extension")
def test_attached_releases(engine: Engine) -> None:
    """None is pinned, and none is a preview."""
    extension = make_attached(engine)["vision-extension"]

    assert (extension["releaseTrain"], extension["autoUpgradeMinorVersion"]) == ("stable", True)
    assert "version" not in extension


@row("identity of attached computes")
def test_attached_identity(engine: Engine) -> None:
    """Pods have it to pull images, to mount data, and to ask for secrets."""
    made = make_attached(engine)

    identity = made["vision-compute"]["identity"]
    assert identity["type"] == "UserAssigned"
    assert [each.rpartition("/")[2] for each in identity["userAssignedIdentities"]] == [
        made["pets-compute-identity"]["resourceName"]
    ]


def make_kubernetes(engine: Engine, *, public: bool = False, **given: Any) -> Made:
    """Makes the Kubernetes cluster ``k8s`` of a workspace; gives the inputs of its resources, by name without that."""

    def program() -> None:
        args = WorkspaceArgs(location="westeurope", public_network_access=public)
        workspace = Workspace("pets", args)
        more = {"registry": Registry("images", RegistryArgs(workspace=workspace))} if given.get("registry") else {}
        AksCluster("k8s", AksClusterArgs(workspace=workspace, **{**given, **more}))

    run_once(engine, program, "kubernetes", public, given)
    own = [resource for resource in engine.resources if resource.name.startswith("k8s-")]
    return {resource.name.removeprefix("k8s-"): resource.inputs for resource in own}


def list_nodes(made: Made) -> tuple[Any, Any]:
    """The cluster's own nodes, and those of runs."""
    (system,) = made["cluster"]["agentPoolProfiles"]
    return system, made["pool"]


@row("local accounts of the cluster", "local_accounts")
def test_kubernetes_local_accounts(engine: Engine) -> None:
    """Nobody gets in with a certificate that cannot be taken back."""
    assert make_kubernetes(engine)["cluster"]["disableLocalAccounts"] is True
    assert make_kubernetes(engine, local_accounts=True)["cluster"]["disableLocalAccounts"] is False


@row("who is signed in to the cluster")
def test_kubernetes_login(engine: Engine) -> None:
    """Those of the tenant."""
    profile = make_kubernetes(engine)["cluster"]["aadProfile"]

    assert (profile["managed"], profile["tenantID"]) == (True, TENANT)


@row("who may do what in the cluster", "administrators")
def test_kubernetes_rights(engine: Engine) -> None:
    """On this cluster, and with the type of the principal said."""
    made = make_kubernetes(engine)
    team = USER.replace("1", "2")
    listed = make_kubernetes(engine, administrators={"team": Principal(object_id=team, type="Group")})

    assert made["cluster"]["aadProfile"]["enableAzureRBAC"] is True
    assert made["cluster"]["enableRBAC"] is True
    assert list_grants(made, USER) == {("Azure Kubernetes Service RBAC Cluster Admin", "managedClusters")}
    assert list_grants(listed, team) == {("Azure Kubernetes Service RBAC Cluster Admin", "managedClusters")}
    assert list_grants(listed, USER) == set()


@row("address of the API server", "private_cluster")
def test_kubernetes_address(engine: Engine) -> None:
    """As the workspace, unless it is said."""
    private = make_kubernetes(engine)["cluster"]["apiServerAccessProfile"]

    assert (private["enablePrivateCluster"], private["enablePrivateClusterPublicFQDN"]) == (True, False)
    for made in (make_kubernetes(engine, public=True), make_kubernetes(engine, private_cluster=False)):
        assert made["cluster"]["apiServerAccessProfile"]["enablePrivateCluster"] is False


@row("who reaches the API server", "authorized_ip_ranges")
def test_kubernetes_addresses(engine: Engine) -> None:
    """Whoever is at the given addresses."""
    given = make_kubernetes(engine, public=True, authorized_ip_ranges=["192.0.2.0/24"])

    assert given["cluster"]["apiServerAccessProfile"]["authorizedIPRanges"] == ["192.0.2.0/24"]
    assert "authorizedIPRanges" not in make_kubernetes(engine, public=True)["cluster"]["apiServerAccessProfile"]


@row("commands through Resource Manager")
def test_kubernetes_commands(engine: Engine) -> None:
    """What would go past the network's rules."""
    assert make_kubernetes(engine)["cluster"]["apiServerAccessProfile"]["disableRunCommand"] is True


@row("identity of the cluster")
def test_kubernetes_identity(engine: Engine) -> None:
    """Each right is on one resource."""
    made = make_kubernetes(engine, subnet_id=SUBNET)

    (identity,) = made["cluster"]["identity"]["userAssignedIdentities"]
    principal = f"principal of {identity.rpartition('/')[2]}"
    assert made["identity"]["resourceName"] == identity.rpartition("/")[2]
    assert list_grants(made, principal) == {
        ("Managed Identity Operator", "userAssignedIdentities"),
        ("Network Contributor", "subnets"),
    }


@row("identity of the cluster's nodes", "registry")
def test_kubernetes_node_identity(engine: Engine) -> None:
    """Another one than the cluster's own."""
    made = make_kubernetes(engine, registry=True)

    kubelet = made["cluster"]["identityProfile"]["kubeletidentity"]
    name = made["kubelet-identity"]["resourceName"]
    assert kubelet["resourceId"].rpartition("/")[2] == name
    assert kubelet["objectId"] == f"principal of {name}"
    assert list_grants(made, f"principal of {name}") == {("AcrPull", "registries")}
    assert list_grants(make_kubernetes(engine), f"principal of {name}") == set()


@row("tokens of service accounts")
def test_kubernetes_issuer(engine: Engine) -> None:
    """So that pods need no secrets of Entra ID."""
    cluster = make_kubernetes(engine)["cluster"]

    assert cluster["oidcIssuerProfile"] == {"enabled": True}
    assert cluster["securityProfile"]["workloadIdentity"] == {"enabled": True}


@row("network policies")
def test_kubernetes_network_policies(engine: Engine) -> None:
    """Those of ``KubernetesCluster`` hold."""
    network = make_kubernetes(engine)["cluster"]["networkProfile"]

    assert (network["networkPolicy"], network["networkDataplane"]) == ("cilium", "cilium")
    assert (network["networkPlugin"], network["networkPluginMode"]) == ("azure", "overlay")


@row("subnet of the cluster's nodes", "subnet_id")
def test_kubernetes_subnet(engine: Engine) -> None:
    """All of them."""
    nodes = list_nodes(make_kubernetes(engine, subnet_id=SUBNET))

    assert [each["vnetSubnetID"] for each in nodes] == [SUBNET, SUBNET]
    assert all("vnetSubnetID" not in each for each in list_nodes(make_kubernetes(engine)))


@row("public addresses of the cluster's nodes")
def test_kubernetes_node_addresses(engine: Engine) -> None:
    """None has one."""
    assert [each["enableNodePublicIP"] for each in list_nodes(make_kubernetes(engine))] == [False, False]


@row("SSH to the cluster's nodes")
def test_kubernetes_node_accounts(engine: Engine) -> None:
    """Nobody logs in to nodes."""
    assert [each["securityProfile"] for each in list_nodes(make_kubernetes(engine))] == [{"sshAccess": "Disabled"}] * 2
    assert "linuxProfile" not in make_kubernetes(engine)["cluster"]


@row("nodes of the cluster's own pods")
def test_kubernetes_system_nodes(engine: Engine) -> None:
    """Runs are not on them."""
    system, _ = list_nodes(make_kubernetes(engine))

    assert (system["mode"], system["nodeTaints"]) == ("System", ["CriticalAddonsOnly=true:NoSchedule"])


@row("nodes of runs", "taints")
def test_kubernetes_run_nodes(engine: Engine) -> None:
    """Other pods are not on them."""
    _, usual = list_nodes(make_kubernetes(engine))
    _, given = list_nodes(make_kubernetes(engine, taints=["sku=gpu:NoSchedule"]))

    assert (usual["mode"], usual["nodeTaints"]) == ("User", ["nvidia.com/gpu=present:NoSchedule"])
    assert given["nodeTaints"] == ["sku=gpu:NoSchedule"]


@row("resource group of the nodes")
def test_kubernetes_node_group(engine: Engine) -> None:
    """What AKS made there is changed by AKS."""
    assert make_kubernetes(engine)["cluster"]["nodeResourceGroupProfile"] == {"restrictionLevel": "ReadOnly"}


@row("patches of Kubernetes", "kubernetes_version")
def test_kubernetes_patches(engine: Engine) -> None:
    """The minor version is the user's, or AKS's own choice."""
    made = make_kubernetes(engine, kubernetes_version="1.34")["cluster"]

    assert (made["autoUpgradeProfile"]["upgradeChannel"], made["kubernetesVersion"]) == ("patch", "1.34")
    assert "kubernetesVersion" not in make_kubernetes(engine)["cluster"]


@row("patches of nodes")
def test_kubernetes_node_patches(engine: Engine) -> None:
    """Without anybody's doing."""
    assert make_kubernetes(engine)["cluster"]["autoUpgradeProfile"]["nodeOSUpgradeChannel"] == "NodeImage"


@row("unused images with known weaknesses")
def test_kubernetes_images(engine: Engine) -> None:
    """Each 168 hours."""
    cleaner = make_kubernetes(engine)["cluster"]["securityProfile"]["imageCleaner"]

    assert cleaner == {"enabled": True, "intervalHours": 168}


@row("logs and metrics of the cluster")
def test_kubernetes_diagnostics(engine: Engine) -> None:
    """Also who asked the API server for what."""
    setting = make_kubernetes(engine)["diagnostics"]

    assert [each["categoryGroup"] for each in setting["logs"] if each["enabled"]] == ["allLogs"]
    assert [each["category"] for each in setting["metrics"] if each["enabled"]] == ["AllMetrics"]
    assert "/Microsoft.OperationalInsights/workspaces/" in setting["workspaceId"]
