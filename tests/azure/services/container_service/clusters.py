"""Clusters: https://learn.microsoft.com/rest/api/aks/managed-clusters."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from tests.azure import roles
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType, Service, find, is_same
from tests.azure.resources import Resource
from tests.azure.services.container_service import credentials, pools, shared
from tests.azure.services.container_service.shared import CLUSTERS, MODELS, VERSION, refuse
from tests.azure.services.managed_identity import IDENTITIES

GROUPS = "Microsoft.Resources/resourceGroups"
KUBELET = "kubeletidentity"
ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
JOIN = "Microsoft.Network/virtualNetworks/subnets/join/action"

FIXED = (
    "properties.dnsPrefix",
    "properties.fqdnSubdomain",
    "properties.nodeResourceGroup",
    "properties.enableRBAC",
    "properties.diskEncryptionSetID",
    "properties.apiServerAccessProfile.enablePrivateCluster",
    "properties.apiServerAccessProfile.privateDNSZone",
    "properties.networkProfile.networkMode",
    "properties.networkProfile.serviceCidr",
    "properties.networkProfile.dnsServiceIP",
    "properties.networkProfile.podCidr",
    "properties.networkProfile.loadBalancerSku",
)
_PREFIX = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,52}[A-Za-z0-9])?")
_NETWORK = {
    "networkPlugin": "azure",
    "networkDataplane": "azure",
    "networkPolicy": "none",
    "serviceCidr": "10.0.0.0/16",
    "dnsServiceIP": "10.0.0.10",
    "outboundType": "loadBalancer",
    "loadBalancerSku": "standard",
}
_POD_CIDR = "10.244.0.0/16"
_ADDED = {
    "maxAgentPools": 100,
    "enableRBAC": True,
    "supportPlan": "KubernetesOfficial",
    "disableLocalAccounts": False,
    "publicNetworkAccess": "Enabled",
}


class Clusters(Service):
    """What the service checks, adds and does."""

    def check(self, request: Request) -> None:
        """Refuses what does not go together, who may not use what it names, and pools that cannot be had."""
        properties, old = request.properties, request.old.properties if request.old is not None else {}
        prefix = properties.get("dnsPrefix")
        if request.old is None and bool(prefix) == bool(properties.get("fqdnSubdomain")):
            raise refuse("Exactly one of dnsPrefix and fqdnSubdomain is needed.", code="InvalidParameter")
        if prefix and not _PREFIX.fullmatch(prefix):
            text = f"The dnsPrefix '{prefix}' is not valid: 1-54 letters, digits and hyphens, no hyphen at its ends."
            raise refuse(text, code="InvalidParameter")
        _check_identities(request)
        _check_login(properties, old)
        _check_network(properties)
        _check_version(request, properties, old)
        self._check_pools(request)

    def _check_pools(self, request: Request) -> None:
        given = request.properties.get("agentPoolProfiles")
        known = {each.name: each.properties for each in pools.list_pools(request, request.path.text)}
        if request.old is None and not any(each.get("mode") == "System" for each in given or ()):
            raise refuse("There has to be at least one system agent pool.", code="InvalidParameter")
        for each in given or ():
            if request.old is not None and each["name"] not in known:
                raise refuse(
                    "A new agent pool was introduced. Adding agent pools to an existing cluster is not allowed through "
                    "managed cluster operations. For agent pool specific change, please use per agent pool operations: "
                    "https://aka.ms/agent-pool-rest-api"
                )
            pools.check(request, each["name"], each, known.get(each["name"], {}), request.body["location"])

    def fill(self, request: Request) -> None:
        """Adds names, states and defaults; the pools become resources of their own."""
        properties, old = request.properties, request.old.properties if request.old is not None else {}
        number = uuid.uuid4().hex[:8]
        properties |= {key: old[key] for key in ("dnsPrefix", "fqdnSubdomain") if key in old}
        host = f"{properties.get('dnsPrefix') or properties.get('fqdnSubdomain')}-{number}"
        region = request.body["location"]
        is_private = bool(find(properties, "apiServerAccessProfile.enablePrivateCluster"))
        name = f"{host}.hcp.{region}.azmk8s.io"
        for key, value in {
            "fqdn": "" if is_private else name,
            "privateFQDN": f"{host}.{uuid.uuid4()}.privatelink.{region}.azmk8s.io" if is_private else "",
            "azurePortalFQDN": f"{host}.portal.hcp.{region}.azmk8s.io",
            "resourceUID": uuid.uuid4().hex,
            "nodeResourceGroup": f"MC_{request.path.resource_group}_{request.path.name}_{region}"[:80],
        }.items():
            if value:
                properties[key] = old.get(key) or properties.get(key) or value
        version = _find_version(request, properties, old)
        properties |= {
            "kubernetesVersion": properties.get("kubernetesVersion") or old.get("kubernetesVersion") or version,
            "currentKubernetesVersion": version,
            "powerState": {"code": "Running"},
            "provisioningState": "Succeeded",
        }
        for key, default in _ADDED.items():
            properties.setdefault(key, old.get(key, default))
        _fill_profiles(request, old)
        _fill_identity(request)
        for each in properties.pop("agentPoolProfiles", None) or ():
            given = {key: value for key, value in each.items() if key != "name"}
            pools.store(request, request.path.text, each["name"], given, version)
        request.body.setdefault("sku", {"name": "Base", "tier": "Free"})
        request.body.setdefault("kind", "Base")

    def made(self, request: Request, resource: Resource) -> None:
        """Its identity must be allowed what the cluster does with its subnets; then the nodes have a group."""
        for pool in pools.list_pools(request, resource.id):
            subnet = pool.properties.get("vnetSubnetID")
            who = credentials.find_principal(resource)
            if subnet and not roles.may(request.cloud, who, JOIN, subnet):
                text = (
                    f"The cluster's identity with object id '{who}' does not have authorization to perform action "
                    f"'{JOIN}' over scope '{subnet}'."
                )
                raise ArmError(403, "LinkedAuthorizationFailed", text)
        group = f"{request.cloud.subscription}/resourceGroups/{resource.properties['nodeResourceGroup']}"
        store = request.cloud.resources
        if store.get(group) is None:
            more = {"location": resource.body["location"], "managedBy": resource.id}
            store.put(shared.build_resource(group, GROUPS, {"provisioningState": "Succeeded"}, **more))
        resource.properties.setdefault("identityProfile", _make_kubelet(request, resource, group))

    def deleted(self, request: Request, resource: Resource) -> None:
        """The nodes' group goes with all that is in it, and a system-assigned identity."""
        group = f"{request.cloud.subscription}/resourceGroups/{resource.properties['nodeResourceGroup']}"
        for each in request.cloud.resources.list_inside(group, IDENTITIES):
            request.cloud.directory.remove_identity(each.properties["principalId"])
        request.cloud.resources.remove(group)
        if "principalId" in resource.body.get("identity", {}):
            request.cloud.directory.remove_identity(resource.body["identity"]["principalId"])

    def show(self, request: Request, resource: Resource, body: dict[str, Any]) -> dict[str, Any]:
        """With its pools, those too that were made by themselves."""
        found = pools.list_pools(request, resource.id)
        body["properties"]["agentPoolProfiles"] = [{"name": each.name, **each.properties} for each in found]
        return body


def _check_identities(request: Request) -> None:
    identity = request.body.get("identity") or {}
    kind, assigned = identity.get("type", "None"), identity.get("userAssignedIdentities") or {}
    if request.old is None and kind == "None":
        text = "Required parameter identity or servicePrincipalProfile is missing (null)."
        raise refuse(text, code="InvalidParameter")
    if (kind == "UserAssigned") != (len(assigned) == 1):
        raise refuse("A cluster has one user-assigned identity, or a system-assigned one.", code="InvalidParameter")
    kubelet = find(request.properties, f"identityProfile.{KUBELET}.resourceId")
    for resource_id in filter(None, (*assigned, kubelet)):
        if request.cloud.resources.get(resource_id) is None:
            raise refuse(f"The identity {resource_id!r} could not be found.", code="FailedIdentityOperation")
        shared.require_linked(request, ASSIGN, resource_id)
    before = find(request.old.properties if request.old is not None else None, f"identityProfile.{KUBELET}.resourceId")
    if not kubelet or is_same(before, kubelet):
        return
    if not assigned:
        text = "Custom kubelet identity is only supported on user-assigned managed identity cluster."
        raise refuse(text, code="CustomKubeletIdentityOnlySupportedOnUserAssignedMSICluster")
    (control,) = assigned
    found = request.cloud.resources.get(control)
    assert found is not None
    if not roles.may(request.cloud, found.properties["principalId"], ASSIGN, kubelet):
        raise refuse(
            "The cluster user assigned identity must be given permission to assign kubelet identity "
            f"{kubelet}. Check access result not allowed for action {ASSIGN}.",
            code="CustomKubeletIdentityMissingPermissionError",
        )


def _check_login(properties: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    directory = properties.get("aadProfile") or old.get("aadProfile")
    if properties.get("disableLocalAccounts") and not directory:
        raise refuse("Local accounts can be disabled only on a cluster that is AAD enabled.", code="InvalidParameter")
    if directory and not directory.get("managed"):
        raise refuse("Only managed AAD is supported: aadProfile.managed must be true.", code="InvalidParameter")
    has_issuer = find(properties, "oidcIssuerProfile.enabled")
    if find(old, "oidcIssuerProfile.enabled") and has_issuer is False:
        raise refuse("The OIDC issuer feature cannot be disabled.", code="OIDCIssuerFeatureCannotBeDisabled")
    if find(properties, "securityProfile.workloadIdentity.enabled") and not has_issuer:
        raise refuse("Workload identity needs oidcIssuerProfile.enabled.", code="InvalidParameter")


def _check_network(properties: Mapping[str, Any]) -> None:
    network, access = properties.get("networkProfile") or {}, properties.get("apiServerAccessProfile") or {}
    if access.get("authorizedIPRanges") and access.get("enablePrivateCluster"):
        raise refuse("Authorized IP ranges cannot be set on a private cluster.", code="InvalidParameter")
    has_cilium = network.get("networkDataplane") == "cilium"
    if has_cilium != (network.get("networkPolicy") == "cilium"):
        text = "networkDataplane cilium and networkPolicy cilium need one another."
        raise refuse(text, code="InvalidNetworkPolicy")
    if has_cilium and network.get("networkPlugin") != "azure":
        raise refuse("networkDataplane cilium needs networkPlugin azure.", code="InvalidNetworkPlugin")
    if network.get("networkPolicy") == "azure" and network.get("networkPlugin", "azure") != "azure":
        raise refuse("networkPolicy azure needs networkPlugin azure.", code="InvalidNetworkPolicy")
    is_flat = network.get("networkPlugin") == "azure" and network.get("networkPluginMode") != "overlay"
    if network.get("podCidr") and is_flat:
        raise refuse("podCidr with networkPlugin azure needs networkPluginMode overlay.", code="InvalidParameter")


def _check_version(request: Request, properties: Mapping[str, Any], old: Mapping[str, Any]) -> None:
    version = _find_version(request, properties, old)
    before = old.get("currentKubernetesVersion", version)
    if _split(version)[:2] < _split(before)[:2] or _split(version)[1] > _split(before)[1] + 1:
        text = (
            f"Upgrading from version {before} to {version} is not allowed: one minor version at a time, and not back."
        )
        raise refuse(text, code="OperationNotAllowed")


def _find_version(request: Request, properties: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """The version that it is to have; a minor version that it has already moves it nowhere."""
    given, now = properties.get("kubernetesVersion"), old.get("currentKubernetesVersion")
    if now and (not given or now.startswith(f"{given}.")):
        return str(now)
    return shared.find_version(request, given)


def _split(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _fill_profiles(request: Request, old: Mapping[str, Any]) -> None:
    properties, cloud = request.properties, request.cloud
    network = properties["networkProfile"] = {
        **_NETWORK,
        **(old.get("networkProfile") or {}),
        **(properties.get("networkProfile") or {}),
    }
    if network.get("networkPluginMode") == "overlay":
        network.setdefault("podCidr", _POD_CIDR)
    if properties.get("aadProfile") or old.get("aadProfile"):
        given = properties.get("aadProfile") or old["aadProfile"]
        properties["aadProfile"] = {"enableAzureRBAC": False, "tenantID": cloud.tenant_id, **given}
    issuer = properties.setdefault("oidcIssuerProfile", old.get("oidcIssuerProfile", {"enabled": False}))
    if issuer.get("enabled"):
        number = properties["resourceUID"]
        issuer["issuerURL"] = f"https://{request.body['location']}.oic.prod-aks.azure.com/{cloud.tenant_id}/{number}/"
    if old.get("identityProfile"):
        properties["identityProfile"] = old["identityProfile"]


def _fill_identity(request: Request) -> None:
    identity = request.body.get("identity") or (request.old.body["identity"] if request.old is not None else {})
    request.body["identity"] = identity
    for resource_id in identity.get("userAssignedIdentities") or {}:
        identity["userAssignedIdentities"][resource_id] = _show_identity(request, resource_id)
    if identity["type"] == "SystemAssigned":
        before = (request.old.body["identity"] if request.old is not None else {}).get("principalId")
        identity |= {"principalId": before or str(uuid.uuid4()), "tenantId": request.cloud.tenant_id}
        request.cloud.directory.add_identity(identity["principalId"], str(uuid.uuid4()))
    kubelet = find(request.properties, f"identityProfile.{KUBELET}.resourceId")
    if kubelet:
        found = _show_identity(request, kubelet)
        shown = {"resourceId": kubelet, "clientId": found["clientId"], "objectId": found["principalId"]}
        request.properties["identityProfile"] = {KUBELET: shown}


def _show_identity(request: Request, resource_id: str) -> dict[str, str]:
    found = request.cloud.resources.get(resource_id)
    assert found is not None
    return {name: found.properties[name] for name in ("principalId", "clientId")}


def _make_kubelet(request: Request, cluster: Resource, group: str) -> dict[str, Any]:
    """The identity that the service makes for kubelets where none is given."""
    path = f"{group}/providers/{IDENTITIES}/{cluster.name}-agentpool"
    known = {
        "tenantId": request.cloud.tenant_id,
        "principalId": str(uuid.uuid4()),
        "clientId": str(uuid.uuid4()),
    }
    identity = shared.build_resource(path, IDENTITIES, known, location=cluster.body["location"])
    request.cloud.resources.put(identity)
    request.cloud.directory.add_identity(known["principalId"], known["clientId"])
    return {KUBELET: {"resourceId": path, "clientId": known["clientId"], "objectId": known["principalId"]}}


TYPES = (
    ResourceType(
        name=CLUSTERS,
        models={VERSION: f"{MODELS}:ManagedCluster"},
        patch_models={VERSION: f"{MODELS}:TagsObject"},
        name_rule=NameRule(
            pattern=r"[A-Za-z0-9]([\w-]{0,61}[A-Za-z0-9])?",
            text="1-63 letters, digits, hyphens and underscores, a letter or digit at both ends",
            code="InvalidParameter",
        ),
        put="Azure-AsyncOperation",
        delete="both",
        deleted=202,
        has_location=True,
        immutable=FIXED,
        actions={
            "listClusterUserCredential": credentials.list_user,
            "listClusterAdminCredential": credentials.list_admin,
        },
        service=Clusters(),
    ),
)
