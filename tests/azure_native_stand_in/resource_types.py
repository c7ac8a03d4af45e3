"""The resource types that the stand-in knows: the path and the SDK's models of each."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.azure import sdk_models
from tests.azure.shapes import Shape
from tests.azure_native_stand_in import sdk_types

_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_ML = f"{_GROUP}/providers/Microsoft.MachineLearningServices/workspaces/{{workspaceName}}"
_STORAGE = f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}"
_ENDPOINT = f"{_GROUP}/providers/Microsoft.Network/privateEndpoints/{{privateEndpointName}}"
_AKS = f"{_GROUP}/providers/Microsoft.ContainerService/managedClusters/{{resourceName}}"
_UNENCODED = ("scope", "resourceUri")
"""Path parameters that are paths themselves."""


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """How one resource type is spoken of in Resource Manager.

    Attributes:
        token: Pulumi's name, ``azure-native:storage:StorageAccount``.
        path: Where it is, with pulumi-azure-native's names of the parameters.
        request: The SDK's model of what is put, ``package:Class``.
        response: That of what is got; the same where it is empty.
        replaces: Properties that cannot be changed: ``forceNewMap`` of pulumi-azure-native, and what the service's
            specification marks as created only (``x-ms-mutability``).
        follows: Whether puts and deletes are long-running operations by the service's specification.
        is_singleton: Whether it exists with its parent, so that it is neither created nor deleted.
        queries: Inputs that go into the query.
        maintained: Paths in the body of lists whose items may be resources of their own: where none is given, a new
            resource has an empty one and an existing one keeps what it has.
    """

    token: str
    path: str
    request: str
    response: str = ""
    replaces: frozenset[str] = frozenset({"location"})
    follows: bool = False
    is_singleton: bool = False
    queries: frozenset[str] = field(default=frozenset())
    maintained: tuple[tuple[str, ...], ...] = ()

    @property
    def module_name(self) -> str:
        """The module of pulumi-azure-native that has it."""
        _, module, name = self.token.split(":")
        file = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        return f"{module}.{file}"

    @property
    def module(self) -> types.ModuleType:
        """The same, imported."""
        return sdk_types.import_module(self.module_name)

    @property
    def name(self) -> str:
        """Pulumi's name without the module."""
        return self.token.rpartition(":")[2]

    @property
    def api_version(self) -> str:
        """The API version that pulumi-azure-native uses."""
        return sdk_types.read_api_version(self.module_name)

    @property
    def args(self) -> Shape:
        """What the user may give."""
        return sdk_types.read_args(getattr(self.module, f"{self.name}Args"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs."""
        return sdk_types.list_outputs(getattr(self.module, self.name))

    @property
    def body(self) -> Shape:
        """What the service takes."""
        return sdk_models.load_shape(self.request)

    @property
    def answer(self) -> Shape:
        """What the service answers."""
        return sdk_models.load_shape(self.response or self.request)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The inputs that are in the path; the last one is the resource's own name."""
        return tuple(each for each in re.findall(r"{(\w+)}", self.path) if each != "subscriptionId")

    def build_path(self, subscription_id: str, inputs: Mapping[str, Any]) -> str:
        """Where the resource with these inputs is."""
        from urllib.parse import quote

        values = {
            name: inputs[name].strip("/") if name in _UNENCODED else quote(inputs[name], safe="")
            for name in self.parameters
        }
        return self.path.format(subscriptionId=subscription_id, **values)

    def parse_path(self, path: str) -> dict[str, str] | None:
        """The path's parameters; None if it is not that of such a resource."""
        from urllib.parse import unquote

        pattern = re.escape(self.path)
        for name in ("subscriptionId", *self.parameters):
            value = f"(?P<{name}>.+)" if name in _UNENCODED else f"(?P<{name}>[^/]+)"
            pattern = pattern.replace(re.escape(f"{{{name}}}"), value)
        found = re.fullmatch(pattern, path, re.IGNORECASE)
        return None if found is None else {name: unquote(found[name]) for name in self.parameters}


def _ml(name: str, path: str, model: str, **more: Any) -> ResourceType:
    return ResourceType(
        token=f"azure-native:machinelearningservices:{name}",
        path=f"{_ML}{path}",
        request=f"{sdk_models.MACHINE_LEARNING}:{model}",
        # The service's specification of 2025-12-01 does not say that a location cannot change; it refuses it.
        replaces=frozenset(),
        **more,
    )


_TABLE = (
    ResourceType(
        token="azure-native:resources:ResourceGroup",  # noqa: S106 - a name of Pulumi's
        path=_GROUP,
        request="azure.mgmt.resource.resources.v2022_09_01.models:ResourceGroup",
        follows=True,
    ),
    ResourceType(
        token="azure-native:storage:StorageAccount",  # noqa: S106
        path=_STORAGE,
        request="azure.mgmt.storage.models:StorageAccountCreateParameters",
        response="azure.mgmt.storage.models:StorageAccount",
        replaces=frozenset({"location", "isHnsEnabled"}),
        follows=True,
    ),
    ResourceType(
        token="azure-native:storage:BlobServiceProperties",  # noqa: S106
        path=f"{_STORAGE}/blobServices/{{blobServicesName}}",
        request="azure.mgmt.storage.models:BlobServiceProperties",
        is_singleton=True,
    ),
    ResourceType(
        token="azure-native:storage:ManagementPolicy",  # noqa: S106
        path=f"{_STORAGE}/managementPolicies/{{managementPolicyName}}",
        request="azure.mgmt.storage.models:ManagementPolicy",
    ),
    ResourceType(
        token="azure-native:keyvault:Vault",  # noqa: S106
        path=f"{_GROUP}/providers/Microsoft.KeyVault/vaults/{{vaultName}}",
        request="azure.mgmt.keyvault.models:VaultCreateOrUpdateParameters",
        response="azure.mgmt.keyvault.models:Vault",
        replaces=frozenset(),
        follows=True,
        maintained=(("properties", "accessPolicies"),),
    ),
    ResourceType(
        token="azure-native:operationalinsights:Workspace",  # noqa: S106
        path=f"{_GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{workspaceName}}",
        request="azure.mgmt.loganalytics.models:Workspace",
        follows=True,
    ),
    ResourceType(
        token="azure-native:applicationinsights:Component",  # noqa: S106
        path=f"{_GROUP}/providers/Microsoft.Insights/components/{{resourceName}}",
        request="azure.mgmt.applicationinsights.v2020_02_02.models:ApplicationInsightsComponent",
    ),
    ResourceType(
        token="azure-native:managedidentity:UserAssignedIdentity",  # noqa: S106
        path=f"{_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{{resourceName}}",
        request="azure.mgmt.msi.v2023_01_31.models:Identity",
    ),
    ResourceType(
        token="azure-native:authorization:RoleAssignment",  # noqa: S106
        path="/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        request="azure.mgmt.authorization.v2022_04_01.models:RoleAssignmentCreateParameters",
        response="azure.mgmt.authorization.v2022_04_01.models:RoleAssignment",
        replaces=frozenset({"principalId"}),
    ),
    ResourceType(
        token="azure-native:containerregistry:Registry",  # noqa: S106
        path=f"{_GROUP}/providers/Microsoft.ContainerRegistry/registries/{{registryName}}",
        request="azure.mgmt.containerregistry.v2023_01_01_preview.models:Registry",
        follows=True,
    ),
    ResourceType(
        token="azure-native:containerservice:ManagedCluster",  # noqa: S106
        path=_AKS,
        request="azure.mgmt.containerservice.models:ManagedCluster",
        replaces=frozenset(
            {
                "diskEncryptionSetID",
                "dnsPrefix",
                "fqdnSubdomain",
                "linuxProfile",
                "location",
                # Of its parts, the newest plugins replace for fewer; for all that components set they do.
                "networkProfile",
                "nodeResourceGroup",
                "windowsProfile",
            }
        ),
        follows=True,
    ),
    ResourceType(
        token="azure-native:containerservice:AgentPool",  # noqa: S106
        path=f"{_AKS}/agentPools/{{agentPoolName}}",
        request="azure.mgmt.containerservice.models:AgentPool",
        replaces=frozenset({"gpuInstanceProfile", "vmSize"}),
        follows=True,
    ),
    ResourceType(
        token="azure-native:monitor:DiagnosticSetting",  # noqa: S106
        path="/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        request="azure.mgmt.monitor.v2021_05_01_preview.models:DiagnosticSettingsResource",
        replaces=frozenset(),
    ),
    ResourceType(
        token="azure-native:network:PrivateEndpoint",  # noqa: S106
        path=_ENDPOINT,
        request="azure.mgmt.network.models:PrivateEndpoint",
        replaces=frozenset({"subnet"}),
        follows=True,
    ),
    ResourceType(
        token="azure-native:network:PrivateDnsZoneGroup",  # noqa: S106
        path=f"{_ENDPOINT}/privateDnsZoneGroups/{{privateDnsZoneGroupName}}",
        request="azure.mgmt.network.models:PrivateDnsZoneGroup",
        replaces=frozenset(),
        follows=True,
    ),
    ResourceType(
        token="azure-native:kubernetesconfiguration:Extension",  # noqa: S106
        path=(
            f"{_GROUP}/providers/{{clusterRp}}/{{clusterResourceName}}/{{clusterName}}"
            "/providers/Microsoft.KubernetesConfiguration/extensions/{extensionName}"
        ),
        request="azure.mgmt.kubernetesconfiguration.v2023_05_01.models:Extension",
        replaces=frozenset(),
        follows=True,
    ),
    _ml("Workspace", "", "Workspace", follows=True),
    _ml("Compute", "/computes/{computeName}", "ComputeResource", follows=True),
    _ml("WorkspaceConnection", "/connections/{connectionName}", "WorkspaceConnectionPropertiesV2BasicResource"),
    _ml("EnvironmentContainer", "/environments/{name}", "EnvironmentContainer"),
    _ml("EnvironmentVersion", "/environments/{name}/versions/{version}", "EnvironmentVersion"),
    _ml(
        "ManagedNetworkSettingsRule",
        "/outboundRules/{ruleName}",
        "OutboundRuleBasicResource",
        follows=True,
    ),
    _ml("Datastore", "/datastores/{name}", "Datastore", queries=frozenset({"skipValidation"})),
)


@functools.cache
def list_types() -> Mapping[str, ResourceType]:
    """All of them, by token."""
    return {each.token: each for each in _TABLE}
