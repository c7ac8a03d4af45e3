"""The program of every stack: typed configuration -> components -> exports."""

import dataclasses

import pulumi
import settings

import aml_infra

config = settings.load()

if config.azure is not None:
    workspace = config.azure.open_workspace("training")
    registry = config.azure.open_registry("training", workspace)
    image = aml_infra.TrainingImage("fastai", dataclasses.replace(config.image, workspace=workspace, registry=registry))
    cluster = aml_infra.GpuCluster("gpu-cluster", dataclasses.replace(config.azure.cluster, workspace=workspace))
    compute: aml_infra.ComputeTarget = cluster

    pulumi.export("workspaceName", workspace.workspace_name)
    pulumi.export("studioUrl", workspace.studio_url)
    pulumi.export("configJson", workspace.config_json)
    pulumi.export("environmentId", image.environment_id)
    pulumi.export("clusterName", cluster.cluster_name)
    pulumi.export("currentNodeCount", cluster.current_node_count)
elif config.kubernetes is not None:
    image = aml_infra.TrainingImage("fastai", config.image)
    kubernetes = aml_infra.KubernetesCluster("training", config.kubernetes)
    compute = kubernetes

    pulumi.export("namespace", kubernetes.namespace)
    pulumi.export("outputsClaim", kubernetes.outputs_claim)
else:
    image = aml_infra.TrainingImage("fastai", config.image)
    compute = aml_infra.LocalDocker("docker", config.compute)

pulumi.export("imageRef", image.ref)

if config.train is not None:
    job = aml_infra.TrainingJob("train", dataclasses.replace(config.train, image=image, compute=compute))

    pulumi.export("runId", job.run_id)
    pulumi.export("status", job.status)
    pulumi.export("attempt", job.attempt)
    pulumi.export("metrics", job.metrics)
    pulumi.export("portalUrl", job.portal_url)
    pulumi.export("outputsPath", job.outputs_path)
    pulumi.export("fingerprint", job.fingerprint)
