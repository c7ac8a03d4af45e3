"""Azure Machine Learning's extension of a Kubernetes cluster, which runs the jobs of attached workspaces there.

Follows https://learn.microsoft.com/azure/machine-learning/how-to-deploy-kubernetes-extension.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi

from aml_infra.errors import Problem

if TYPE_CHECKING:
    from pulumi_azure_native import containerservice, kubernetesconfiguration

TYPE = "Microsoft.AzureML.Kubernetes"
NAME = "azureml"
NAMESPACE = "azureml"
"""Where the extension itself is; it can be nowhere else."""

RELEASE_TRAIN = "stable"

_SWITCH = ("True", "False")
_ROUTERS = ("ClusterIP", "NodePort", "LoadBalancer")
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "clusterPurpose": ("DevTest", "FastProd"),
    "enableInference": _SWITCH,
    "inferenceRouterHA": _SWITCH,
    "inferenceRouterServiceType": _ROUTERS,
    "installDcgmExporter": _SWITCH,
    "installNvidiaDevicePlugin": _SWITCH,
    "installPromOp": _SWITCH,
    "installVolcano": _SWITCH,
    "internalLoadBalancerProvider": ("azure",),
    "nginxIngress.enabled": _SWITCH,
    "sslCname": (),
    "sslSecret": (),
}
"""What may be set, and to what; empty for any text. Besides, ``nodeSelector.`` with the key of a label."""

_SELECTOR = "nodeSelector."
_OF_INFERENCE = ("inferenceRouterServiceType", "sslCname", "sslSecret")
"""What inference needs, so that nobody speaks to models without TLS."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """The AKS cluster that gets the extension.

    Attributes:
        id: its resource id.
        group: its resource group.
        name: its name.
    """

    id: pulumi.Output[str]
    group: pulumi.Output[str]
    name: pulumi.Output[str]


def find_setting_problems(settings: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the settings that a user gives."""
    problems = []
    for name, value in settings.items():
        path = f"extension_settings[{name!r}]"
        if name == "allowInsecureConnections":
            fix = "leave it out, and give sslSecret and sslCname"
            problems.append(Problem(path, f"is {value!r}, and models would be spoken to without TLS; {fix}"))
        elif name not in SETTINGS and not name.startswith(_SELECTOR):
            allowed = f"{', '.join(SETTINGS)}, and {_SELECTOR}<key>"
            problems.append(Problem(path, f"is no setting that is left to you; allowed are {allowed}"))
        elif value == "" or (SETTINGS.get(name) and value not in SETTINGS[name]):
            allowed = ", ".join(SETTINGS.get(name) or ("any text",))
            problems.append(Problem(path, f"is {value!r}; allowed are {allowed}"))
    if settings.get("enableInference") == "True":
        missing = [name for name in _OF_INFERENCE if name not in settings]
        if missing:
            text = f"enable inference, which needs {', '.join(missing)} too; give them, or leave enableInference out"
            problems.append(Problem("extension_settings", text))
    return problems


def build_settings(
    cluster: Cluster, location: pulumi.Output[str], settings: Mapping[str, str]
) -> dict[str, pulumi.Input[str]]:
    """All settings: what training needs, what says which cluster it is and in which region, and the user's."""
    return {
        "enableTraining": "True",
        "enableInference": "False",
        "allowInsecureConnections": "False",
        "clusterPurpose": "DevTest",
        "inferenceRouterHA": "False",
        # As `az k8s-extension create` sets them for AKS.
        "clusterId": cluster.id,
        "cluster_name": cluster.id,
        "cluster_name_friendly": cluster.name,
        "domain": pulumi.Output.concat(location, ".cloudapp.azure.com"),
        "jobSchedulerLocation": location,
        "location": location,
        "nginxIngress.enabled": "True",
        "prometheus.prometheusSpec.externalLabels.cluster_name": cluster.id,
        "relayserver.enabled": "False",
        "servicebus.enabled": "False",
        **settings,
    }


def make_extension(
    component: str, cluster: Cluster, settings: Mapping[str, str], opts: pulumi.ResourceOptions
) -> kubernetesconfiguration.Extension:
    """The extension, of its stable releases, whose minor versions it takes by itself.

    Args:
        component: name of the component that it is of.
        cluster: where it goes.
        settings: the user's.
        opts: options of the resource.

    Raises:
        RunError: it cannot work on the cluster; when that is known.
    """
    from pulumi_azure_native import containerservice, kubernetesconfiguration

    found = containerservice.get_managed_cluster_output(
        resource_group_name=cluster.group,
        resource_name=cluster.name,
        opts=pulumi.InvokeOutputOptions(parent=opts.parent),
    )
    location = found.apply(lambda known: _read_location(component, known))
    return kubernetesconfiguration.Extension(
        f"{component}-extension",
        cluster_name=cluster.name,
        cluster_resource_name="managedClusters",
        cluster_rp="Microsoft.ContainerService",
        resource_group_name=cluster.group,
        extension_name=NAME,
        extension_type=TYPE,
        auto_upgrade_minor_version=True,
        release_train=RELEASE_TRAIN,
        scope=kubernetesconfiguration.ScopeArgs(
            cluster=kubernetesconfiguration.ScopeClusterArgs(release_namespace=NAMESPACE)
        ),
        configuration_settings=build_settings(cluster, location, settings),
        opts=opts,
    )


def _read_location(component: str, cluster: containerservice.GetManagedClusterResult) -> str:
    if cluster.disable_local_accounts:
        fix = "Azure Machine Learning logs in by one; run `az aks update --enable-local-accounts`"
        raise pulumi.RunError(f"{component}.cluster: {cluster.name!r} has no local accounts, and {fix}")
    return cluster.location
