"""Stacks on Kubernetes: what is in their configuration, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import types
from typing import Any

import pytest

from aml_infra import InvalidInput, KubernetesClusterArgs, Toleration
from tests.unit.components.engine import Engine

ACCOUNT = {"server": "ghcr.io/team", "username": "me", "password": "sesame"}
IMAGE = {"dockerfile": "Dockerfile", "registry": ACCOUNT}
TRAIN = {"source": "code", "command": ["true"]}


@pytest.fixture(autouse=True)
def project_folder(
    tmp_path: pathlib.Path, settings: types.ModuleType, kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> pathlib.Path:
    """A project with a Dockerfile, a source folder and a kubeconfig."""
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").touch()
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", tmp_path)
    return tmp_path


def build(engine: Engine, settings: types.ModuleType, **sections: Any) -> Any:
    """What a configuration on Kubernetes with ``sections`` in it becomes; one that is None is left out."""
    given = {"kubernetes": {}, "image": IMAGE, **sections}
    values = {f"p:{name}": json.dumps(section) for name, section in given.items() if section is not None}
    built: list[Any] = []
    engine.run(lambda: built.append(settings.build_config("p", values)))
    return built[0]


def find_problems(engine: Engine, settings: types.ModuleType, **sections: Any) -> list[str]:
    """The problems of such a configuration, as text."""
    with pytest.raises(InvalidInput) as caught:
        build(engine, settings, **sections)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("section", "args", "made"),
    [("KubernetesSection", KubernetesClusterArgs, {"registry", "cluster"}), ("TolerationSection", Toleration, set())],
)
def test_every_argument_has_a_setting_and_the_same_default(
    sections: types.ModuleType, section: str, args: Any, made: set[str]
) -> None:
    """What a program can say, a stack's configuration can say too; a registry is the image's, a cluster exists."""
    fields = {field.name: field for field in dataclasses.fields(args) if field.name not in made}
    model = getattr(sections, section).model_fields

    assert list(model) == list(fields)
    for name, field in fields.items():
        default = field.default if field.default_factory is dataclasses.MISSING else {}
        assert model[name].default == (list(default) if isinstance(default, tuple) else default), name


def test_the_section_becomes_arguments(
    engine: Engine, settings: types.ModuleType, project_folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the kubeconfig from the project's folder, or from the user's home, as people write it."""
    monkeypatch.setenv("HOME", str(project_folder))
    tolerations = [{"key": "sku", "value": "gpu"}]

    for written in ("kubeconfig", "~/kubeconfig", str(project_folder / "kubeconfig")):
        section = {"kubeconfig": written, "context": "idle", "tolerations": tolerations, "gpu_quota": 8}
        args = build(engine, settings, kubernetes=section).kubernetes

        assert args.kubeconfig == str(project_folder / "kubeconfig")
        assert (args.context, args.gpu_quota) == ("idle", 8)
        assert args.tolerations == [Toleration(key="sku", value="gpu")]


def test_the_registry_is_that_of_the_image(engine: Engine, settings: types.ModuleType) -> None:
    """One login for both; without one, nodes pull as they can."""
    outputs = engine.run(lambda: {"server": build(Engine(), settings).kubernetes.registry.server})

    assert outputs["server"] == "ghcr.io/team"
    assert build(engine, settings, image={"dockerfile": "Dockerfile"}).kubernetes.registry is None


def test_a_training_is_one_on_the_cluster(engine: Engine, settings: types.ModuleType) -> None:
    """What it cannot have is told before anything is made; a stack may be without one."""
    config = build(engine, settings, train=TRAIN)

    assert (config.train.compute, config.azure) == (config.kubernetes, None)
    assert build(engine, settings).train is None
    assert find_problems(engine, settings, kubernetes={"gpu_quota": 1}, train={**TRAIN, "gpus": 2}) == [
        "p:train.gpus: is 2; gpu_quota is 1; ask for at most that together, or raise it"
    ]


def test_without_a_registry_no_node_can_pull_the_image(engine: Engine, settings: types.ModuleType) -> None:
    """The first thing that a newcomer hears who has not set it."""
    assert find_problems(engine, settings, image={"dockerfile": "Dockerfile"}, train=TRAIN) == [
        "p:train.image: is only in this machine's Docker, which no cluster can pull from; give it a registry"
    ]


def test_one_place_to_train_is_enough(engine: Engine, settings: types.ModuleType) -> None:
    """Which of several was meant, nobody knows."""
    workspace = {"location": "westeurope", "public_network_access": True}

    assert find_problems(engine, settings, compute={}) == [
        "p:compute: is Docker on this machine, and there is a Kubernetes cluster; leave one of them out"
    ]
    assert find_problems(engine, settings, workspace=workspace) == [
        "p:kubernetes: is another place than the workspace's cluster; leave one of them out"
    ]
    assert find_problems(engine, settings, cluster={}) == [
        "p:cluster: is of no use without a workspace; leave it out, or add a workspace"
    ]


def test_everything_is_told_at_once(engine: Engine, settings: types.ModuleType) -> None:
    """Wrong types, unknown settings, wrong values, and what the image's registry has; each once."""
    problems = find_problems(
        engine,
        settings,
        kubernetes={
            "gpu_quota": "8",
            "que": "vision",
            "namespace": "Team",
            "tolerations": [{"keey": "sku"}],
            "outputs_claim": "kept",
            "storage_class": "fast",
        },
        image={**IMAGE, "registry": {**ACCOUNT, "server": "https://ghcr.io"}},
    )

    assert [problem.partition(": ")[0] for problem in problems] == [
        "p:kubernetes.gpu_quota",
        "p:kubernetes.tolerations[0].keey",
        "p:kubernetes.que",
        "p:image.registry.server",
        "p:kubernetes.namespace",
        "p:kubernetes.storage_class",
    ]
    assert "did you mean key?" in problems[1]
    assert "did you mean queue?" in problems[2]


def test_secure_values_are_refused(engine: Engine, settings: types.ModuleType) -> None:
    """Nothing that a cluster is told is a secret: its login is in the kubeconfig."""
    values = {"p:kubernetes": json.dumps({"queue": "sesame"}), "p:image": json.dumps(IMAGE)}

    with pytest.raises(InvalidInput, match="p:kubernetes: holds a secure value, which would be plain text") as caught:
        engine.run(lambda: settings.build_config("p", values, ("p:kubernetes",)))

    assert "sesame" not in str(caught.value)
