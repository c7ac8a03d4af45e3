"""The objects of a ``KubernetesCluster``: what is around the runs in their namespace.

Each function makes one. Names in the cluster are a contract: another name is another object.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING

import pulumi

from aml_infra.components import kubernetes_names, registry_login
from aml_infra.components.aks_cluster import AksCluster
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.kubeconfig import Access
from aml_infra.components.kubernetes_cluster_args import KubernetesClusterArgs
from aml_infra.components.registry_login import Login

if TYPE_CHECKING:
    from pulumi_kubernetes import Provider
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

RUN_LABEL = "aml-infra.run"
"""The label that all pods of runs have."""

POD = "in-cluster"
"""What stands for the cluster that the program itself runs in, which has no name there."""

GPU = "nvidia.com/gpu"
PULL_SECRET = "kubernetes.io/dockerconfigjson"  # noqa: S105 (a type)
POD_SECURITY = "pod-security.kubernetes.io"
"""See https://kubernetes.io/docs/concepts/security/pod-security-admission/."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """What the objects of one component share.

    Attributes:
        parent: the component.
        provider: the way to the cluster.
        name: the component's name, which the names of its children begin with.
        slug: that name as Kubernetes allows it, which the names of objects begin with.
        namespace: where the objects are.
        after: what they come after.
    """

    parent: pulumi.Resource
    provider: Provider
    name: str
    slug: str
    namespace: str
    after: tuple[pulumi.Resource, ...] = ()

    def build_name(self, part: str = "") -> str:
        """What an object is called."""
        return f"{self.slug}-{part}" if part else self.slug

    def build_metadata(self, part: str = "") -> ObjectMetaArgs:
        """What an object is called, and where it is."""
        from pulumi_kubernetes.meta import v1

        return v1.ObjectMetaArgs(name=self.build_name(part), namespace=self.namespace)

    @property
    def options(self) -> pulumi.ResourceOptions:
        """The options of each object."""
        return pulumi.ResourceOptions(parent=self.parent, provider=self.provider, depends_on=list(self.after))


def make_provider(parent: pulumi.Resource, name: str, access: Access, cluster: AksCluster | None = None) -> Provider:
    """What makes objects in ``cluster``, or in the one that ``access`` leads to."""
    from pulumi_kubernetes import Provider

    return Provider(
        f"{name}-provider",
        kubeconfig=access.path if cluster is None else cluster.kubeconfig,
        context=access.context if cluster is None else cluster.cluster_name,
        # Else Pulumi takes another path, or a renewed certificate, for another cluster, and makes everything anew.
        cluster_identifier=access.context or POD if cluster is None else cluster.resource_id,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def make_namespace(place: Place, part: str, *, security: str = "restricted") -> pulumi.Resource:
    """The namespace, in which the API server takes no pod below the standard ``security``."""
    from pulumi_kubernetes.core import v1
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

    labels = {f"{POD_SECURITY}/{mode}": security for mode in ("enforce", "audit", "warn")}
    metadata = ObjectMetaArgs(name=place.namespace, labels=labels)
    return v1.Namespace(f"{place.name}-{part}", metadata=metadata, opts=place.options)


def make_service_account(place: Place) -> pulumi.Resource:
    """Who the pods are to the API server: somebody without a token, and so nobody."""
    from pulumi_kubernetes.core import v1

    return v1.ServiceAccount(
        f"{place.name}-service-account",
        metadata=place.build_metadata(),
        automount_service_account_token=False,
        opts=place.options,
    )


def make_quota(place: Place, args: KubernetesClusterArgs) -> None:
    """What all runs may have together, if there is a limit."""
    from pulumi_kubernetes.core import v1

    hard = {}
    if args.cpu_quota is not None:
        hard["requests.cpu"] = kubernetes_names.write_cpus(args.cpu_quota)
    if args.memory_quota_gb is not None:
        hard["requests.memory"] = kubernetes_names.write_gb(args.memory_quota_gb)
    if args.gpu_quota is not None:
        hard[f"requests.{GPU}"] = str(args.gpu_quota)
    if hard:
        v1.ResourceQuota(
            f"{place.name}-quota",
            metadata=place.build_metadata(),
            spec=v1.ResourceQuotaSpecArgs(hard=hard),
            opts=place.options,
        )


def make_limits(place: Place, args: KubernetesClusterArgs) -> None:
    """What is set aside for pods that ask for nothing; they may use more, as with any other compute target."""
    from pulumi_kubernetes.core import v1

    asked = {
        "cpu": kubernetes_names.write_cpus(args.default_cpus),
        "memory": kubernetes_names.write_gb(args.default_memory_gb),
    }
    v1.LimitRange(
        f"{place.name}-limits",
        metadata=place.build_metadata(),
        spec=v1.LimitRangeSpecArgs(limits=[v1.LimitRangeItemArgs(type="Container", default_request=asked)]),
        opts=place.options,
    )


def make_network_policy(place: Place, args: KubernetesClusterArgs) -> None:
    """Who reaches the pods of runs: one another; and whom they reach: everybody, or those that are listed."""
    from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs
    from pulumi_kubernetes.networking import v1

    # In a namespace that is somebody else's, only the pods of runs are ours to close.
    ours = LabelSelectorArgs(match_expressions=[LabelSelectorRequirementArgs(key=RUN_LABEL, operator="Exists")])
    pods = LabelSelectorArgs() if args.create_namespace else ours
    peers = [v1.NetworkPolicyPeerArgs(pod_selector=pods)]
    egress = None
    if args.egress_cidrs is not None:
        blocks = [v1.NetworkPolicyPeerArgs(ip_block=v1.IPBlockArgs(cidr=cidr)) for cidr in args.egress_cidrs]
        dns = [v1.NetworkPolicyPortArgs(port=53, protocol=protocol) for protocol in ("UDP", "TCP")]
        egress = [v1.NetworkPolicyEgressRuleArgs(ports=dns), v1.NetworkPolicyEgressRuleArgs(to=[*peers, *blocks])]
    v1.NetworkPolicy(
        f"{place.name}-network-policy",
        metadata=place.build_metadata(),
        spec=v1.NetworkPolicySpecArgs(
            pod_selector=pods,
            policy_types=["Ingress"] if egress is None else ["Ingress", "Egress"],
            ingress=[v1.NetworkPolicyIngressRuleArgs(from_=peers)],
            egress=egress,
        ),
        opts=place.options,
    )


def make_pull_secret(place: Place, registry: ContainerRegistry) -> str:
    """The login of the registry, for nodes to pull with and for the backend to push with; gives its name."""
    from pulumi_kubernetes.core import v1

    def write(login: Login) -> str:
        content = json.dumps({"auths": registry_login.build_auths(login)}, sort_keys=True)
        return base64.b64encode(content.encode()).decode()

    content: pulumi.Output[str] = pulumi.Output.secret(registry.login.apply(write))
    v1.Secret(
        f"{place.name}-registry",
        metadata=place.build_metadata("registry"),
        type=PULL_SECRET,
        data={".dockerconfigjson": content},
        opts=place.options,
    )
    return place.build_name("registry")


def make_claim(place: Place, args: KubernetesClusterArgs) -> pulumi.Resource:
    """The volume that keeps what runs write."""
    from pulumi_kubernetes.core import v1

    storage = {"storage": kubernetes_names.write_gb(args.storage_gb)}
    return v1.PersistentVolumeClaim(
        f"{place.name}-outputs",
        metadata=place.build_metadata("outputs"),
        spec=v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteMany" if args.shared_storage else "ReadWriteOnce"],
            resources=v1.VolumeResourceRequirementsArgs(requests=storage),
            storage_class_name=args.chosen_storage_class,
        ),
        opts=pulumi.ResourceOptions.merge(
            place.options,
            # The records of runs outlive the stack in a namespace that does, and so does what they speak of. Nor does
            # another class of storage take it away: Kubernetes cannot change that, and Pulumi would delete first.
            pulumi.ResourceOptions(retain_on_delete=True),
        ),
    )
