"""Jobs on attached clusters: what the extension there refuses.

See https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-kubernetes-compute, and for instance types
Azure-Samples/azure-ml-federated-learning#334. Which code and words a missing namespace has is not documented.
"""

from __future__ import annotations

from tests.azure.cloud import Cloud
from tests.azure.job_runs.failures import JobFailure
from tests.azure.resources import Resource
from tests.azure.services import kubernetes_configuration
from tests.azure.services.machine_learning.attached import DEFAULT_TYPE


def check(cloud: Cloud, compute: Resource, job: Resource) -> None:
    """Refuses what can never run there.

    Raises:
        JobFailure: in the extension's words.
    """
    cluster_id, inner = compute.properties["resourceId"], compute.properties["properties"]
    extensions = kubernetes_configuration.list_extensions(cloud, cluster_id)
    if not extensions:
        raise _fail("The Azure Machine Learning extension does not answer.")
    settings = extensions[0].properties.get("configurationSettings") or {}
    if not kubernetes_configuration.is_on(settings, "enableTraining"):
        raise _fail('E45004:"Training feature is not enabled, please enable it when install the extension."')
    inside, asked = cloud.open_cluster(cluster_id), job.properties.get("resources") or {}
    if not inside.has_namespace(inner["namespace"]):
        raise _fail(f'404:{{"Msg":"namespaces \\"{inner["namespace"]}\\" not found","Code":404}}')
    wanted = asked.get("instanceType") or inner["defaultInstanceType"]
    if wanted not in (DEFAULT_TYPE, *inside.list_instance_types()):
        raise _fail(
            '9: {"Msg":"Invalid instance type. The instance type defined resource requirement has exceeded the node '
            "size. Please ask your admin to modify the instance type resource definition or use another instance "
            'type.","Code":9}'
        )
    for name, given in (job.properties.get("inputs") or {}).items():
        if given.get("mode") == "Download":
            raise _fail(f"Unable to attach or mount volumes: {name}: no volume plugin matched")


def _fail(text: str) -> JobFailure:
    return JobFailure(f"AML Kubernetes Compute job failed. {text}", component="amlarc")
