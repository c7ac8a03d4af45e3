"""What our plugin asks of Azure, through the engine; with the same login as everything else (see ``azure_client``)."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pulumi

from aml_infra.aks_kubeconfig import Access
from aml_infra.components import functions
from aml_infra.errors import BackendUnavailable

GET_KUBERNETES_ACCESS = "aml-infra:index:getKubernetesAccess"
GET_QUOTA = "aml-infra:index:getQuota"
GET_REGISTRY_TOKEN = "aml-infra:index:getRegistryToken"  # noqa: S105 (the name of a function)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegistryToken:
    """A login of an Azure container registry, good for three hours."""

    username: str
    password: str = dataclasses.field(repr=False)


def get_registry_token(
    server: pulumi.Input[str], opts: pulumi.InvokeOutputOptions | None = None
) -> pulumi.Output[RegistryToken]:
    """A login of the registry ``server`` for whoever is logged in to Azure; a secret.

    It is asked for whenever ``server`` is known, so at every preview of a registry that exists. Whoever needs it only
    where something is pushed calls ``ask_registry_token`` there.
    """
    found = pulumi.runtime.invoke_output(GET_REGISTRY_TOKEN, {"server": server}, opts)
    return cast("pulumi.Output[RegistryToken]", pulumi.Output.secret(found.apply(_read_token)))


async def ask_registry_token(server: str) -> RegistryToken:
    """The same, at once; for hooks.

    Raises:
        BackendUnavailable: Azure or the registry gives none; the message says why and what to do.
    """
    return _read_token(await _ask(GET_REGISTRY_TOKEN, {"server": server}))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Demand:
    """What a cluster may take of a subscription's quota.

    Attributes:
        subscription_id: the subscription.
        location: of the cluster.
        vm_size: size of its nodes.
        nodes: the most that it may have.
        low_priority: whether they are low-priority nodes, which have a quota of their own.
        service: whose quota it is: that of Azure ML (``learning``), or that of virtual machines (``compute``).
    """

    subscription_id: pulumi.Input[str]
    location: pulumi.Input[str]
    vm_size: pulumi.Input[str]
    nodes: pulumi.Input[int]
    low_priority: pulumi.Input[bool]
    service: str = "learning"


def build_quota_hook(name: str, demand: Demand) -> pulumi.ResourceHook:
    """A hook that fails where the quota is too small for a cluster, with the figure that is short.

    To be bound to ``before_create`` and ``before_update`` of the cluster's resource: it runs in previews too, but asks
    nothing where the cluster is as it should be, nor while a part of the demand is not known.

    Args:
        name: of the component, which is in front of the property path that is told.
        demand: what the cluster may take.
    """

    async def check(hook: pulumi.ResourceHookArgs) -> None:
        known = await pulumi.Output.all(
            subscriptionId=demand.subscription_id,
            location=demand.location,
            vmSize=demand.vm_size,
            nodes=demand.nodes,
            lowPriority=demand.low_priority,
            service=demand.service,
        ).future()
        if known is None:
            return
        # A cluster that exists may itself be what uses the quota.
        found = await _ask(GET_QUOTA, {**known, "exists": hook.old_inputs is not None})
        if found["problem"]:
            raise pulumi.RunError(f"{name}.vm_size: {found['problem']}")
        if found["note"]:
            pulumi.log.warn(f"{name}.vm_size: {found['note']}")

    return pulumi.ResourceHook(f"quota of {name}", check, opts=pulumi.ResourceHookOptions(on_dry_run=True))


def get_kubernetes_access(
    name: str, cluster_id: pulumi.Output[str], *, wait_seconds: float, parent: pulumi.Resource
) -> pulumi.Output[Access]:
    """Where the AKS cluster with this id is; at update, once whoever runs it may make namespaces there.

    Args:
        name: of the component, for what is told.
        cluster_id: resource id; nothing is asked while it is not known.
        wait_seconds: how long a role may take to count. A preview waits for nothing.
        parent: of the question.
    """
    seconds = 0 if pulumi.runtime.is_dry_run() else wait_seconds
    args = {"clusterId": cluster_id, "waitSeconds": seconds}
    found = pulumi.runtime.invoke_output(GET_KUBERNETES_ACCESS, args, pulumi.InvokeOutputOptions(parent=parent))

    def read(known: dict[str, Any]) -> Access:
        if known["note"]:
            pulumi.log.warn(f"{name}: {known['note']}", parent)
        return Access(server=known["server"], authority=known["certificateAuthority"])

    return found.apply(read)


async def _ask(token: str, args: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(await pulumi.runtime.invoke_async(token, args))
    except Exception as error:
        # A failed invoke is a bare Exception, the SDK has nothing narrower.
        if type(error) is not Exception:
            raise
        raise BackendUnavailable(functions.read_failure(str(error))) from error


def _read_token(found: dict[str, Any]) -> RegistryToken:
    return RegistryToken(username=found["username"], password=found["password"])
