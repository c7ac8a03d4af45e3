"""Pools of nodes: https://learn.microsoft.com/rest/api/aks/agent-pools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.azure import arm_ids
from tests.azure.arm_errors import ArmError
from tests.azure.resource_types import NameRule, Request, ResourceType, Service, is_same
from tests.azure.resources import Resource
from tests.azure.services.container_service import quotas, shared
from tests.azure.services.container_service.shared import MODELS, POOLS, VERSION, refuse
from tests.azure.services.machine_learning.quotas import SIZES, find_size

FIXED = (
    "vmSize",
    "osType",
    "osDiskSizeGB",
    "osDiskType",
    "maxPods",
    "type",
    "vnetSubnetID",
    "scaleSetPriority",
    "scaleSetEvictionPolicy",
    "spotMaxPrice",
    "availabilityZones",
    "enableNodePublicIP",
    "enableEncryptionAtHost",
    "enableFIPS",
    "gpuInstanceProfile",
)
"""Properties of a pool that cannot be changed once they were set."""

SYSTEM_TAINT = "CriticalAddonsOnly=true:NoSchedule"
SPOT = "kubernetes.azure.com/scalesetpriority"
_DEFAULTS: dict[str, Any] = {
    "osType": "Linux",
    "osSKU": "Ubuntu",
    "osDiskSizeGB": 128,
    "osDiskType": "Managed",
    "kubeletDiskType": "OS",
    "type": "VirtualMachineScaleSets",
    "mode": "User",
    "maxPods": 30,
    "enableAutoScaling": False,
    "enableNodePublicIP": False,
    "enableEncryptionAtHost": False,
    "enableFIPS": False,
    "enableUltraSSD": False,
    "scaleDownMode": "Delete",
}


def check(request: Request, name: str, pool: dict[str, Any], old: dict[str, Any], location: str) -> None:
    """Refuses a pool that cannot be had, or not any more; ``old`` is what it is, empty for a new one."""
    TYPES[0].check_name(name)
    for key in FIXED:
        if old.get(key) is not None and pool.get(key) is not None and not is_same(old[key], pool[key]):
            text = f"Changing property 'properties.{key}' of agent pool '{name}' is not allowed."
            raise ArmError(409, "PropertyChangeNotAllowed", text)
    _check_kind(name, {**_DEFAULTS, **old, **pool})
    _check_counts(name, pool, old)
    if pool.get("orchestratorVersion"):
        shared.find_version(request, pool["orchestratorVersion"])
    shared.check_subnet(request, pool.get("vnetSubnetID"))
    _check_size(request, name, {**old, **pool}, location)
    _check_quota(request, {**old, **pool}, old, location)


def _check_kind(name: str, pool: dict[str, Any]) -> None:
    is_spot = pool.get("scaleSetPriority") == "Spot"
    taints = pool.get("nodeTaints") or []
    if pool["mode"] == "System" and is_spot:
        raise refuse(f"Agent pool '{name}' of mode System cannot have spot nodes.", code="InvalidParameter")
    if pool["mode"] == "System" and [each for each in taints if each != SYSTEM_TAINT]:
        text = f"Agent pool '{name}' of mode System may have the taint {SYSTEM_TAINT} and no other."
        raise refuse(text, code="InvalidParameter")
    # The official client says an eviction policy, and a price of -1, of every pool.
    if not is_spot and pool.get("spotMaxPrice") not in (None, -1):
        text = f"Agent pool '{name}' has a spotMaxPrice, which only spot nodes have."
        raise refuse(text, code="InvalidParameter")


def _check_counts(name: str, pool: dict[str, Any], old: dict[str, Any]) -> None:
    merged = {**old, **pool}
    fewest = 1 if merged.get("mode") == "System" else 0
    if not merged.get("enableAutoScaling"):
        if pool.get("minCount") is not None or pool.get("maxCount") is not None:
            text = f"Agent pool '{name}' has minCount or maxCount, which need enableAutoScaling."
            raise refuse(text, code="InvalidParameter")
        if merged.get("count") is None or not fewest <= merged["count"] <= 1000:
            text = f"The count of agent pool '{name}' is {merged.get('count')}, not {fewest} to 1000."
            raise refuse(text, code="InvalidParameter")
        return
    least, most = merged.get("minCount"), merged.get("maxCount")
    if least is None or most is None or not fewest <= least <= most <= 1000 or most < 1:
        text = f"The minCount {least} and maxCount {most} of agent pool '{name}' are not in {fewest} to 1000, in order."
        raise refuse(text, code="InvalidParameter")
    if pool.get("count") is not None and not least <= pool["count"] <= most:
        text = f"The count {pool['count']} of agent pool '{name}' is not between {least} and {most}."
        raise refuse(text, code="InvalidParameter")


def _check_size(request: Request, name: str, pool: dict[str, Any], location: str) -> None:
    size = find_size(location, str(pool.get("vmSize") or ""))
    if size is None:
        raise refuse(
            f"The VM size of {pool.get('vmSize')} is not allowed in your subscription in location '{location}'. For "
            "more details, please visit https://aka.ms/cpu-quota"
        )
    if pool.get("scaleSetPriority") == "Spot" and not size.is_low_priority:
        raise refuse(f"Agent pool '{name}': {size.name} has no spot nodes.", code="InvalidParameter")


def _check_quota(request: Request, pool: dict[str, Any], old: dict[str, Any], location: str) -> None:
    """The cores of the nodes that are made at once; those that come later are not asked about."""
    size = SIZES[pool["vmSize"].lower()]
    cores = (_find_count(pool, old) - int(old.get("count", 0))) * size.cores
    is_spot = pool.get("scaleSetPriority") == "Spot"
    for family, left in quotas.list_short(request.cloud, location, size, cores, is_spot=is_spot):
        raise refuse(
            f"Insufficient vcpu quota requested {cores}, remaining {left} for family {family} for region {location}.",
            code="ErrCode_InsufficientVCPUQuota",
        )


def _find_count(pool: dict[str, Any], old: dict[str, Any]) -> int:
    if not pool.get("enableAutoScaling"):
        return int(pool["count"])
    now = int(old.get("count") or pool.get("count") or pool["minCount"])
    return min(max(now, int(pool["minCount"])), int(pool["maxCount"]))


def store(request: Request, cluster: Resource | str, name: str, pool: dict[str, Any], version: str) -> Resource:
    """Has the pool as ``pool`` says, with what the service adds."""
    cluster_id = cluster if isinstance(cluster, str) else cluster.id
    path = f"{cluster_id}/agentPools/{name}"
    kept = request.cloud.resources.get(path)
    old = kept.properties if kept is not None else {}
    whole = shared.find_version(request, pool["orchestratorVersion"]) if pool.get("orchestratorVersion") else version
    filled = {**_DEFAULTS, **{key: old[key] for key in FIXED if key in old}, **pool}
    filled |= {
        "vmSize": old.get("vmSize", pool.get("vmSize")),
        "count": _find_count({**old, **pool}, old),
        "currentOrchestratorVersion": whole,
        "orchestratorVersion": whole,
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202511.01.0",
        "powerState": {"code": "Running"},
        "provisioningState": "Succeeded",
    }
    if filled.get("scaleSetPriority") == "Spot":
        filled["scaleSetEvictionPolicy"] = filled.get("scaleSetEvictionPolicy", "Delete")
        filled["spotMaxPrice"] = filled.get("spotMaxPrice", -1)
        filled["nodeLabels"] = {**(filled.get("nodeLabels") or {}), SPOT: "spot"}
        filled["nodeTaints"] = list(dict.fromkeys([*(filled.get("nodeTaints") or []), f"{SPOT}=spot:NoSchedule"]))
    resource = shared.build_resource(path, POOLS, filled)
    request.cloud.resources.put(resource)
    return resource


def list_pools(request: Request, cluster_id: str) -> Iterator[Resource]:
    """The pools of a cluster."""
    yield from request.cloud.resources.list_inside(cluster_id, POOLS)


class Pools(Service):
    """What is checked and added where a pool is asked for by itself."""

    def check(self, request: Request) -> None:
        """Its cluster must be ready, and the pool be one that can be had."""
        cluster = _find_cluster(request)
        if request.cloud.operations.is_busy(cluster.id):
            text = f"Operation is not allowed: another operation on {cluster.name} is in progress."
            raise ArmError(409, "OperationNotAllowed", text)
        old = request.old.properties if request.old is not None else {}
        if old.get("mode") == "System" and request.properties.get("mode", "User") != "System":
            _require_another(request, cluster)
        check(request, request.path.name, request.properties, old, cluster.body["location"])

    def fill(self, request: Request) -> None:
        """Adds states and defaults."""
        cluster = _find_cluster(request)
        version = cluster.properties["currentKubernetesVersion"]
        built = store(request, cluster, request.path.name, request.properties, version)
        request.body["properties"] = built.properties

    def check_delete(self, request: Request, resource: Resource) -> None:
        """A cluster has a system pool at all times."""
        if resource.properties["mode"] == "System":
            _require_another(request, _find_cluster(request))


def _find_cluster(request: Request) -> Resource:
    found = request.cloud.resources.get(arm_ids.parse(request.path.text).parent_id)
    assert found is not None
    return found


def _require_another(request: Request, cluster: Resource) -> None:
    others = [each for each in list_pools(request, cluster.id) if each.id.lower() != request.path.key]
    if not any(each.properties["mode"] == "System" for each in others):
        raise refuse("There has to be at least one system agent pool.", code="OperationNotAllowed")


TYPES = (
    ResourceType(
        name=POOLS,
        models={VERSION: f"{MODELS}:AgentPool"},
        name_rule=NameRule(
            pattern=r"[a-z][a-z0-9]{0,11}",
            text="1-12 lower-case letters and digits, a letter first",
            code="InvalidParameter",
        ),
        put="Azure-AsyncOperation",
        delete="both",
        deleted=202,
        service=Pools(),
    ),
)
