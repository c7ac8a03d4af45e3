"""Azure's how-to "Train a model using a custom Docker image", as one program: its notebook, cell by cell.

A comment ``# row 4: ...`` begins with what the article does, and says what does it here. What it did in 2020 with names
that are gone is done with those that took their place.
"""

import pulumi

import aml_infra

config = pulumi.Config()

# Prerequisites
#
# row 1: a compute instance, or a notebook with the SDK and `config.json`, and a container registry that can be reached
# from the internet. Here: Pulumi, this package, `config.json`; the registry is made below, or one exists.

# Initialize a workspace
#
# row 2: `ws = Workspace.from_config()`. Nothing of it is changed; `aml_infra.Workspace(...)` makes one.
workspace = aml_infra.Workspace.from_config()


# Define your environment
#
# row 3: `fastai_env = Environment("fastai2")`, `docker.enabled = True`. It is the environment of that name in the
# workspace, whose version says what is in it; without Docker there is none. The article has several ways to an image,
# and so has this: `pulumi config set environment public`.
# row 3b: environments that Azure curates: `aml_infra.TrainingImage.curated("acft-hf-nlp-gpu", workspace=workspace)`.
def use_public() -> aml_infra.TrainingImage:
    """An image that anybody may pull."""
    # row 4: `docker.base_image = "fastdotai/fastai2:latest"`. It is pinned to its digest, so that a preview shows when
    # the tag has moved. No Docker is needed here.
    args = aml_infra.TrainingImageArgs(
        base_image=config.get("baseImage") or "fastdotai/fastai:latest", workspace=workspace
    )
    return aml_infra.TrainingImage("fastai2", args)


def use_private() -> aml_infra.TrainingImage:
    """An image behind a login."""
    # row 5: `docker.base_image_registry.address = "myregistry.azurecr.io"`, `.username`, `.password`. The password is a
    # secret: `pulumi config set --secret registryPassword`. The workspace keeps it in its key vault.
    registry = aml_infra.Registry.external(
        config.require("registryServer"),
        config.require("registryUsername"),
        config.require_secret("registryPassword"),
        workspace=workspace,
        name="myregistry",
    )
    args = aml_infra.TrainingImageArgs(base_image=config.require("baseImage"), registry=registry, workspace=workspace)
    return aml_infra.TrainingImage("fastai2", args)


def use_conda() -> aml_infra.TrainingImage:
    """A Conda environment on top of one of Azure's base images."""
    # row 6: `python.user_managed_dependencies = True`: the image brings all packages, which is the default here; else
    # `python.conda_dependencies` are installed on top of it, by the workspace.
    args = aml_infra.TrainingImageArgs(
        base_image=config.get("baseImage") or "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04:latest",
        conda_file="conda.yaml",
        workspace=workspace,
    )
    return aml_infra.TrainingImage("fastai2", args)


def use_dockerfile() -> aml_infra.TrainingImage:
    """The example's own image, in a registry of its own."""
    # row 7: `docker.base_image = None`, `docker.base_dockerfile = "./Dockerfile"`. A text with a line break in it is a
    # Dockerfile itself, as the article's `dockerfile = r"..."`.
    # row 8: IMPORTANT: the image needs Ubuntu 16.04, Conda 4.5 and Python 3.5 at the least. That is checked when it is
    # built, before any node is paid for; Conda only where it is used.
    registry = aml_infra.Registry(
        "fastai2", aml_infra.RegistryArgs(workspace=workspace, sku="Standard", public_network_access=True)
    )
    args = aml_infra.TrainingImageArgs(
        dockerfile="../fastai-example/Dockerfile", registry=registry, workspace=workspace
    )
    return aml_infra.TrainingImage("fastai2", args)


ENVIRONMENTS = {
    "public": use_public,
    "private": use_private,
    "conda": use_conda,
    "dockerfile": use_dockerfile,
}

fastai_env = ENVIRONMENTS[config.get("environment") or "dockerfile"]()

# Create or attach a compute target
#
# row 9: `ComputeTarget(workspace=ws, name="gpu-cluster")`; where there is none, `AmlCompute.provisioning_configuration(
# vm_size="STANDARD_NC6", max_nodes=4)` and `wait_for_completion(show_output=True)`. It is declared, so that it is made
# once. Azure has retired that size: whoever gives it is told what to use instead.
# row 10: quotas and limits. A preview asks for the quota, and says the figure that is short and where to raise it.
cluster_name = config.get("cluster")
if cluster_name is not None:
    compute_target = aml_infra.GpuCluster.get("gpu-cluster", workspace=workspace, cluster_name=cluster_name)
else:
    compute_target = aml_infra.GpuCluster(
        "gpu-cluster", aml_infra.GpuClusterArgs(workspace=workspace, vm_size="STANDARD_NC4AS_T4_V3", max_nodes=4)
    )
# Of row 9, too: `print(compute_target.get_status().serialize())`.
pulumi.export("clusterState", compute_target.provisioning_state)
pulumi.export("currentNodeCount", compute_target.current_node_count)

# Configure your training job, and submit it
run = aml_infra.TrainingJob(
    "fastai",
    aml_infra.TrainingJobArgs(
        # row 11: `ScriptRunConfig(source_directory="fastai-example", script="train.py", compute_target=compute_target,
        # environment=fastai_env)`.
        # row 14: WARNING: the whole folder is copied. `.amlignore` keeps out what it names, and what looks like a
        # secret is refused. Data does not belong there: `inputs` mounts it from a datastore.
        source="../fastai-example",
        command=["python", "train.py"],
        image=fastai_env,
        compute=compute_target,
        # row 12: `run = Experiment(ws, "Tutorial-fastai").submit(src)`. `pulumi up` submits it, once.
        experiment="Tutorial-fastai",
        # row 15: next steps: track metrics. They can also decide whether the update succeeds. Deploying the model from
        # the same image is not here yet.
        require_metrics=["accuracy >= 0.9"],
    ),
)

# row 13: `run.wait_for_completion(show_output=True)`. The log is shown while it trains; these are the run's details.
pulumi.export("runId", run.run_id)
pulumi.export("status", run.status)
pulumi.export("durationSeconds", run.duration_seconds)
pulumi.export("metrics", run.metrics)
pulumi.export("outputsPath", run.outputs_path)
pulumi.export("portalUrl", run.portal_url)
