"""The program of another repository, which has aml-infra installed and nothing else of it."""

import platform_team
import pulumi

import aml_infra

config = pulumi.Config()

platform = platform_team.Platform(
    "pets",
    platform_team.PlatformArgs(
        location=config.require("location"), max_nodes=config.get_int("maxNodes") or 1, cost_center="4711"
    ),
)
image = aml_infra.TrainingImage(
    "pets",
    aml_infra.TrainingImageArgs(
        base_image=config.get("baseImage") or "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04:latest",
        conda_file="conda.yaml",
        workspace=platform.workspace,
    ),
)

pulumi.export("environmentId", image.environment_id)
pulumi.export("clusterName", platform.cluster.cluster_name)
pulumi.export("configJson", platform.workspace.config_json)
