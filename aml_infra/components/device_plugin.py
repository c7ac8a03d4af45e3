"""NVIDIA's device plugin, which tells Kubernetes how many GPUs a node has.

As in https://github.com/NVIDIA/k8s-device-plugin/blob/v0.17.1/deployments/static/nvidia-device-plugin.yml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aml_infra.components import kubernetes_objects
from aml_infra.components.kubernetes_cluster_args import KubernetesClusterArgs, Toleration
from aml_infra.components.kubernetes_objects import Place

if TYPE_CHECKING:
    from pulumi_kubernetes.core.v1 import PodSpecArgs

IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.17.1"
NAME = "nvidia-device-plugin"
SOCKETS = "/var/lib/kubelet/device-plugins"
TAINT = Toleration(key=kubernetes_objects.GPU, effect="NoSchedule")
"""What nodes with GPUs usually have, to keep other pods away."""


def make_device_plugin(place: Place, args: KubernetesClusterArgs) -> None:
    """The plugin on each node that runs may be on; where there is no GPU, it does nothing.

    Args:
        place: a namespace of its own: it needs a folder of the node, which the namespace of runs does not allow.
        args: of the cluster.
    """
    from pulumi_kubernetes.apps import v1
    from pulumi_kubernetes.core.v1 import PodTemplateSpecArgs
    from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

    labels = {"app.kubernetes.io/name": NAME}
    v1.DaemonSet(
        f"{place.name}-device-plugin",
        metadata=ObjectMetaArgs(name=NAME, namespace=place.namespace),
        spec=v1.DaemonSetSpecArgs(
            selector=LabelSelectorArgs(match_labels=labels),
            template=PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=_build_pod(args)),
            update_strategy=v1.DaemonSetUpdateStrategyArgs(type="RollingUpdate"),
        ),
        opts=place.options,
    )


def _build_pod(args: KubernetesClusterArgs) -> PodSpecArgs:
    from pulumi_kubernetes.core import v1

    tolerations = dict.fromkeys([TAINT, *args.all_tolerations])
    container = v1.ContainerArgs(
        name=NAME,
        image=IMAGE,
        # A node without GPUs is none that has failed.
        env=[v1.EnvVarArgs(name="FAIL_ON_INIT_ERROR", value="false")],
        security_context=v1.SecurityContextArgs(
            allow_privilege_escalation=False, capabilities=v1.CapabilitiesArgs(drop=["ALL"])
        ),
        volume_mounts=[v1.VolumeMountArgs(name="sockets", mount_path=SOCKETS)],
    )
    return v1.PodSpecArgs(
        automount_service_account_token=False,
        containers=[container],
        node_selector=dict(args.all_node_labels) or None,
        priority_class_name="system-node-critical",
        tolerations=[
            v1.TolerationArgs(
                key=each.key or None,
                operator=each.chosen_operator,
                value=each.value or None,
                effect=each.effect,
                toleration_seconds=each.seconds,
            )
            for each in tolerations
        ],
        volumes=[v1.VolumeArgs(name="sockets", host_path=v1.HostPathVolumeSourceArgs(path=SOCKETS, type="Directory"))],
    )
