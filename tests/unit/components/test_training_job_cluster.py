"""Jobs on a cluster of Azure Machine Learning: where their image comes from, and what they wait for."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from aml_infra import (
    GpuCluster,
    GpuClusterArgs,
    InvalidInput,
    Registry,
    RegistryArgs,
    TrainingImage,
    TrainingImageArgs,
    TrainingJob,
    TrainingJobArgs,
    Workspace,
    WorkspaceArgs,
)
from aml_infra.components.environment import CuratedImage
from aml_infra.components.validation import Machine
from tests.unit.components.azure_resources import EXISTING_WORKSPACE, SUBSCRIPTION
from tests.unit.components.engine import BASE_DIGEST, BUILT_DIGEST, DOCKER_IMAGE, RUN, Engine

COMPUTE = "azure-native:machinelearningservices:Compute"
ROLE = "azure-native:authorization:RoleAssignment"
DOCKERFILE = TrainingImageArgs(dockerfile="FROM debian:bookworm-slim\n")
EXTERNAL = ("ghcr.io/team", "me", "sesame")
CURATED = "acft-hf-nlp-gpu"
CURATED_IMAGE = f"mcr.microsoft.com/azureml/curated/{CURATED}:80"


@pytest.fixture(autouse=True)
def service(engine: Engine) -> Engine:
    """An engine that knows a public image, and two workspaces with an environment."""
    engine.registry_images["debian:12"] = BASE_DIGEST
    engine.workspaces |= {"rg-pets/pets": EXISTING_WORKSPACE, "rg-pets/other": EXISTING_WORKSPACE}
    version = {"id": f"/environments/{CURATED}/versions/80", "name": "80", "properties": {"image": CURATED_IMAGE}}
    engine.environments[f"{CURATED}:80"] = version
    return engine


def make_workspace(name: str = "pets") -> Workspace:
    """A workspace that is made."""
    return Workspace(name, WorkspaceArgs(location="westeurope", public_network_access=True))


def attach(name: str = "first", workspace_name: str = "pets") -> Workspace:
    """A workspace that exists."""
    return Workspace.get(name, workspace_name=workspace_name, resource_group="rg-pets")


def make_job(source: pathlib.Path, image: TrainingImage | CuratedImage | str, workspace: Workspace) -> TrainingJob:
    """A job with ``image`` on a cluster of ``workspace``."""
    cluster = GpuCluster("gpu-cluster", GpuClusterArgs(workspace=workspace))
    return TrainingJob("train", TrainingJobArgs(source=source, command=["python"], image=image, compute=cluster))


def run(engine: Engine, program: Callable[[], object]) -> dict[str, Any]:
    """Runs ``program``; gives the inputs of the run in it."""
    engine.run(program)
    return dict(engine.find(RUN).inputs)


def test_a_job_runs_where_its_cluster_is(engine: Engine, source_folder: pathlib.Path) -> None:
    """By the names of what is there, all of which the backend needs."""
    image = "ghcr.io/team/fastai@" + BASE_DIGEST

    inputs = run(engine, lambda: make_job(source_folder, image, make_workspace()))

    cluster = engine.find(COMPUTE).inputs
    assert (inputs["backend"], inputs["image"]) == ("azureml", image)
    assert "imageIdentity" not in inputs
    assert inputs["backendOptions"] == {
        "subscription_id": SUBSCRIPTION,
        "resource_group": cluster["resourceGroupName"],
        "workspace_name": cluster["workspaceName"],
        "compute_name": cluster["computeName"],
        "declared": "true",
    }


def test_the_image_is_the_environment_of_the_workspace(engine: Engine, source_folder: pathlib.Path) -> None:
    """Its identity is that of the image, as on any other compute target."""
    outputs: list[TrainingImage] = []

    def program() -> dict[str, Any]:
        workspace = make_workspace()
        registry = Registry("pets", RegistryArgs(workspace=workspace))
        args = dataclasses.replace(DOCKERFILE, registry=registry, workspace=workspace)
        image = TrainingImage("FastAI", args)
        outputs.append(image)
        make_job(source_folder, image, workspace)
        return {"version": image.environment_version, "build_key": image.build_key}

    known = engine.run(program)

    inputs = engine.find(RUN).inputs
    assert inputs["image"] == f"azureml:fastai:{known['version']}"
    assert inputs["imageIdentity"] == known["build_key"]
    assert (outputs[0].is_local, outputs[0].workspace is not None) == (False, True)


def test_without_an_environment_the_image_is_given_by_its_digest(engine: Engine, source_folder: pathlib.Path) -> None:
    """The backend registers it; so it does where the environment is in another workspace."""

    def without() -> None:
        image = TrainingImage("fastai", dataclasses.replace(DOCKERFILE, registry=Registry.external(*EXTERNAL)))
        make_job(source_folder, image, attach())

    def elsewhere() -> None:
        args = dataclasses.replace(
            DOCKERFILE, registry=Registry.external(*EXTERNAL), workspace=attach("second", "other")
        )
        make_job(source_folder, TrainingImage("fastai", args), attach())

    for program in (without, elsewhere):
        engine.resources.clear()
        inputs = run(engine, program)
        assert inputs["image"] == f"ghcr.io/team/fastai@{BUILT_DIGEST}"


def test_two_components_may_be_one_workspace(engine: Engine, source_folder: pathlib.Path) -> None:
    """Azure does not tell names apart by case; another name is another workspace."""
    engine.workspaces["RG-Pets/pets"] = EXISTING_WORKSPACE

    def program() -> None:
        other = Workspace.get("second", workspace_name="pets", resource_group="RG-Pets")
        make_job(source_folder, TrainingImage.curated(CURATED, "80", workspace=other), attach())

    assert run(engine, program)["image"] == f"azureml:{CURATED}:80"


def test_the_run_waits_for_all_that_it_needs(
    engine: Engine, source_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles of whoever submits and of the nodes, the environment, the cluster, the connection; it is deleted first."""
    asked: dict[str, Any] = {}
    register: Callable[..., Any] = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        asked[f"{request.type} {request.name}"] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)

    def program() -> None:
        workspace = make_workspace()
        registry = Registry("pets", RegistryArgs(workspace=workspace))
        Registry.external(*EXTERNAL, workspace=workspace, name="theirs")
        args = dataclasses.replace(DOCKERFILE, registry=registry, workspace=workspace)
        make_job(source_folder, TrainingImage("fastai", args), workspace)

    engine.run(program)

    waits, seen = {f"{RUN} train"}, set()
    while waits:
        each = waits.pop()
        seen.add(each)
        # URNs end with the type, qualified by those of the parents, and the name.
        found = {urn.split("::", 2)[2].rpartition("$")[2].replace("::", " ") for urn in asked[each].dependencies}
        waits |= found - seen
    direct = {urn.rpartition("::")[2] for urn in asked[f"{RUN} train"].dependencies}
    assert {
        "gpu-cluster-cluster",
        "fastai-environment",
        "pets-contributor-deployer-storage-storage-blob-data-contributor",
        "pets-contributor-deployer-workspace-azureml-data-scientist",
        "theirs-connection",
    } <= direct
    assert {
        f"{ROLE} pets-compute-pull",
        f"{ROLE} pets-compute-identity-storage-storage-blob-data-contributor",
        f"{ROLE} pets-compute-identity-workspace-azure-machine-learning-workspace-connection-secrets-reader",
        f"{DOCKER_IMAGE} fastai",
    } <= seen


def test_a_preview_does_not_know_a_cluster_that_is_not_there(
    engine: Engine, source_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody asks it anything; the rest of the options is known, and so is the cluster's name."""
    create = engine.new_resource

    def forget(args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        resource_id, outputs = create(args)
        return (None if args.typ == COMPUTE else resource_id), outputs

    monkeypatch.setattr(engine, "new_resource", forget)
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test", preview=True)
    found: dict[str, Any] = {}

    async def read(cluster: GpuCluster) -> None:
        for name, option in {**cluster.backend_options, "cluster_name": cluster.cluster_name}.items():
            found[name] = await pulumi.Output.from_input(option).is_known()

    def program() -> dict[str, Any]:
        cluster = GpuCluster("gpu-cluster", GpuClusterArgs(workspace=make_workspace()))
        return {"done": pulumi.Output.from_input(read(cluster))}

    engine.run(program)

    assert found == {
        "subscription_id": True,
        "resource_group": True,
        "workspace_name": True,
        "compute_name": False,
        "declared": True,
        "cluster_name": True,
    }


def find(source: pathlib.Path, image: TrainingImageArgs | str) -> list[str]:
    """The problems of a job on a cluster, in words."""
    cluster = GpuClusterArgs(workspace=WorkspaceArgs(location="westeurope"))
    args = TrainingJobArgs(source=source, command=["python"], image=image, compute=cluster)
    return [str(problem) for problem in args.find_problems(Machine())]


def test_an_image_that_is_only_here_is_refused(source_folder: pathlib.Path) -> None:
    """While the program is only validated, too."""
    assert find(source_folder, DOCKERFILE) == [
        (
            "image: is only in this machine's Docker, which no cluster can pull from; give it a registry, or, if it is "
            "a base_image that anybody may pull, a workspace"
        )
    ]


def test_a_reference_must_say_what_it_is(source_folder: pathlib.Path) -> None:
    """Nobody asks the registry of an image that is given by its name."""
    assert find(source_folder, "debian:12") == [
        (
            "image: is 'debian:12', and what that is only its registry could say; give it by its digest, as in "
            "'server/name@sha256:...', as a TrainingImage, or as 'azureml:name:version'"
        )
    ]
    for known in (f"debian@{BASE_DIGEST}", "azureml:fastai:1", "/subscriptions/s/environments/fastai/versions/1"):
        assert find(source_folder, known) == []


def test_what_is_only_in_another_workspace_is_refused(
    engine: Engine, source_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Whether that one builds it, or has it already."""
    (tmp_path / "conda.yaml").write_text("dependencies: [python=3.12]\n")
    built = TrainingImageArgs(base_image="debian:12", conda_file=tmp_path / "conda.yaml")

    def build() -> None:
        image = TrainingImage("fastai", dataclasses.replace(built, workspace=attach("second", "other")))
        make_job(source_folder, image, attach())

    def look_up() -> None:
        image = TrainingImage.curated(CURATED, "80", workspace=attach("second", "other"))
        make_job(source_folder, image, attach())

    told = []
    for program in (build, look_up):
        with pytest.raises(InvalidInput) as caught:
            engine.run(program)
        told += [str(problem) for problem in caught.value.problems]

    assert told == [
        (
            "train.image: is built by its workspace, so that nothing else can run it; run it on a GpuCluster of that "
            "workspace, or give the image a registry"
        ),
        "train.image: is an environment of another workspace; look it up in the one of the cluster",
    ]
