"""Jobs on a Kubernetes cluster: where their image comes from, and what they wait for."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from aml_infra import (
    InvalidInput,
    KubernetesCluster,
    KubernetesClusterArgs,
    Registry,
    TrainingImage,
    TrainingImageArgs,
    TrainingJob,
    TrainingJobArgs,
    Workspace,
)
from aml_infra.components.validation import Machine
from tests.unit.components.azure_resources import EXISTING_WORKSPACE
from tests.unit.components.engine import BASE_DIGEST, BUILT_DIGEST, RUN, Engine

DOCKERFILE = TrainingImageArgs(dockerfile="FROM debian:bookworm-slim\n")

pytestmark = pytest.mark.usefixtures("kubeconfig")


def make_job(source: pathlib.Path, image: Any) -> TrainingJob:
    """A job with ``image`` on a cluster called ``gpu``."""
    cluster = KubernetesCluster("gpu")
    return TrainingJob("train", TrainingJobArgs(source=source, command=["python"], image=image, compute=cluster))


def find(source: pathlib.Path, image: TrainingImageArgs | str) -> list[str]:
    """The problems of a job while the program is only validated, in words."""
    args = TrainingJobArgs(source=source, command=["python"], image=image, compute=KubernetesClusterArgs())
    return [str(problem) for problem in args.find_problems(Machine())]


def test_a_job_runs_in_the_namespace(engine: Engine, source_folder: pathlib.Path) -> None:
    """In an image by its reference, a tag or a digest: the backend asks the registry."""
    engine.run(lambda: make_job(source_folder, "debian:12"))

    inputs = engine.find(RUN).inputs
    assert (inputs["backend"], inputs["image"]) == ("kubernetes", "debian:12")
    assert (inputs["backendOptions"]["namespace"], inputs["backendOptions"]["context"]) == ("gpu", "team")


def test_an_image_is_pulled_by_its_digest(engine: Engine, source_folder: pathlib.Path) -> None:
    """Also where a workspace has an environment of it, of which Kubernetes knows nothing."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE

    def program() -> None:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        registry = Registry.external("ghcr.io/team", "me", "sesame")
        args = dataclasses.replace(DOCKERFILE, registry=registry, workspace=workspace)
        make_job(source_folder, TrainingImage("fastai", args))

    engine.run(program)

    assert engine.find(RUN).inputs["image"] == f"ghcr.io/team/fastai@{BUILT_DIGEST}"


def test_a_curated_image_is_pulled_where_it_is(engine: Engine, source_folder: pathlib.Path) -> None:
    """Azure's own are in a public registry."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    version = {"id": "/environments/nlp/versions/80", "name": "80", "properties": {"image": "mcr.microsoft.com/nlp:80"}}
    engine.environments["nlp:80"] = version

    def program() -> None:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        make_job(source_folder, TrainingImage.curated("nlp", "80", workspace=workspace))

    engine.run(program)

    assert engine.find(RUN).inputs["image"] == "mcr.microsoft.com/nlp:80"


def test_an_image_that_is_in_no_registry_is_refused(source_folder: pathlib.Path) -> None:
    """Whether it is only here, or Azure's alone."""
    assert find(source_folder, DOCKERFILE) == [
        "image: is only in this machine's Docker, which no cluster can pull from; give it a registry"
    ]
    for image in ("azureml:fastai:1", "/subscriptions/s/environments/fastai/versions/1"):
        assert find(source_folder, image) == [
            (
                f"image: is {image!r}, an environment that only Azure Machine Learning can run; run it on a "
                "GpuCluster, or give the reference of an image in a registry"
            )
        ]
    for image in ("debian:12", f"debian@{BASE_DIGEST}", "localhost:5000/fastai"):
        assert find(source_folder, image) == []


def test_an_image_that_a_workspace_builds_is_refused(
    engine: Engine, source_folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """It is in no registry that anybody else is told of."""
    engine.workspaces["rg-pets/pets"] = EXISTING_WORKSPACE
    engine.registry_images["debian:12"] = BASE_DIGEST
    (tmp_path / "conda.yaml").write_text("dependencies: [python=3.12]\n")

    def program() -> None:
        workspace = Workspace.get("pets", workspace_name="pets", resource_group="rg-pets")
        args = TrainingImageArgs(base_image="debian:12", conda_file=tmp_path / "conda.yaml", workspace=workspace)
        make_job(source_folder, TrainingImage("fastai", args))

    with pytest.raises(InvalidInput) as caught:
        engine.run(program)

    (problem,) = caught.value.problems
    assert str(problem).startswith("train.image: is built by its workspace, so that nothing else can run it")


def test_args_of_a_cluster_are_no_cluster(engine: Engine, source_folder: pathlib.Path) -> None:
    """They stand for one only while the program is validated."""
    args = TrainingJobArgs(source=source_folder, command=["python"], image="debian:12", compute=KubernetesClusterArgs())

    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: TrainingJob("train", args))

    assert [str(problem) for problem in caught.value.problems] == [
        "train.compute: is a KubernetesClusterArgs; make a KubernetesCluster of it, and pass that"
    ]


def test_a_run_waits_for_all_objects(
    engine: Engine, source_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is deleted before them: it is canceled where it is."""
    asked: dict[str, Any] = {}
    register = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        asked[request.type] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)

    engine.run(lambda: make_job(source_folder, "debian:12"))

    waits = {urn.rpartition("::")[2] for urn in asked[RUN].dependencies}
    objects = {resource.name for resource in engine.resources if resource.typ.startswith("kubernetes:")}
    assert objects <= waits


def test_a_preview_knows_where_a_run_will_be(
    engine: Engine, source_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is anything: names are names."""
    create = engine.new_resource

    def forget(args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        resource_id, outputs = create(args)
        return (None if args.typ.startswith("kubernetes:") else resource_id), outputs

    monkeypatch.setattr(engine, "new_resource", forget)
    pulumi.runtime.set_mocks(engine, project="aml-infra", stack="test", preview=True)
    known: dict[str, bool] = {}

    async def read(cluster: KubernetesCluster) -> None:
        outputs = {"its_namespace": cluster.namespace, "its_claim": cluster.outputs_claim}
        for name, option in {**cluster.backend_options, **outputs}.items():
            known[name] = await pulumi.Output.from_input(option).is_known()

    def program() -> dict[str, Any]:
        registry = Registry.external("ghcr.io/team", "me", "sesame")
        cluster = KubernetesCluster("gpu", KubernetesClusterArgs(registry=registry))
        return {"done": pulumi.Output.from_input(read(cluster))}

    engine.run(program)

    assert set(known.values()) == {True}
    assert {"namespace", "claim", "pull_secret", "repository", "its_namespace", "its_claim"} <= set(known)
