"""The stack's configuration: what may be in it, and the arguments that it becomes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping

import azure_settings
import paths
import pulumi
import sections
import secure_values
from sections import Reported

import aml_infra
from aml_infra import spec

CLUSTERS = ("workspace", "kubernetes")
"""Settings that make a stack one that trains elsewhere, and that may have no training."""


@dataclasses.dataclass(frozen=True)
class Config:
    """The configuration as the components' arguments; where those take other components, args stand for them.

    Attributes:
        image: the image.
        compute: Docker on this machine; of no use with ``azure`` or ``kubernetes``.
        azure: the workspace, and what is in it; None where the stack trains elsewhere.
        kubernetes: the Kubernetes cluster; likewise.
        train: the training; None where there is none.
    """

    image: aml_infra.TrainingImageArgs
    compute: aml_infra.LocalDockerArgs
    azure: azure_settings.Azure | None
    kubernetes: aml_infra.KubernetesClusterArgs | None
    train: aml_infra.TrainingJobArgs | None


def load() -> Config:
    """Reads the current stack's configuration and validates all that follows from it.

    Raises:
        InvalidInput: with everything that is wrong, each with its path, such as ``aml-infra:train.cpus``.
    """
    secret_keys = pulumi.runtime.get_config_secret_keys_env()
    written = secure_values.read_stack_file(paths.PROJECT_FOLDER, pulumi.get_stack()) if secret_keys else {}
    return build_config(pulumi.get_project(), pulumi.runtime.get_config_env(), secret_keys, written)


def build_config(
    namespace: str,
    values: Mapping[str, str],
    secret_keys: Collection[str] = (),
    written: Mapping[str, object] | None = None,
) -> Config:
    """The configuration in ``values``, the texts that Pulumi has for each full key.

    ``secret_keys`` are the keys with a secure value somewhere in them; where, Pulumi does not tell, but the stack's
    file does: ``written`` is what it has for each full key.

    Raises:
        InvalidInput: with everything that is wrong.
    """
    own = {key.partition(":")[2]: text for key, text in values.items() if key.partition(":")[0] == namespace}
    problems = [
        aml_infra.Problem(f"{namespace}:{name}", f"is not a setting; {sections.suggest(name, sections.SECTIONS)}")
        for name in sorted(set(own) - set(sections.SECTIONS))
    ]
    problems += _find_misplaced_secrets(own, namespace, secret_keys, written or {})
    hidden = {name for name in own if f"{namespace}:{name}" in secret_keys}
    clashes = _find_clashes(own)

    def read(model: type[sections.SectionT], name: str) -> sections.Read[sections.SectionT]:
        return sections.read_section(model, name, own, namespace, hidden, problems)

    image, compute = read(sections.ImageSection, "image"), read(sections.ComputeSection, "compute")
    train = read(sections.TrainSection, "train") if "train" in own or not own.keys() & CLUSTERS else None
    azure = None
    if "workspace" in own:
        azure = azure_settings.build(
            read(sections.WorkspaceSection, "workspace"),
            read(sections.RegistrySection, "registry") if "registry" in own else None,
            read(sections.ClusterSection, "cluster"),
            image.section.registry,
        )
    image_args, compute_args = build_image_args(image.section, azure), build_compute_args(compute.section)
    args: dict[str, aml_infra.Args] = {"image": Reported(image_args, image.reported)}
    kubernetes_args = None
    target: aml_infra.LocalDockerArgs | aml_infra.GpuClusterArgs | aml_infra.KubernetesClusterArgs = compute_args
    if "kubernetes" in own:
        kubernetes = read(sections.KubernetesSection, "kubernetes")
        kubernetes_args = target = build_kubernetes_args(kubernetes.section, image.section.registry)
        # The registry is the image's setting, and is validated with it.
        args["kubernetes"] = Reported(dataclasses.replace(kubernetes_args, registry=None), kubernetes.reported)
    if azure is not None:
        args |= azure.args
        clashes += azure.problems
        target = azure.cluster
    elif kubernetes_args is None:
        args["compute"] = Reported(compute_args, compute.reported)
    problems += [dataclasses.replace(problem, path=f"{namespace}:{problem.path}") for problem in clashes]
    train_args = None
    if train is not None:
        problems += [problem.under(f"{namespace}:train") for problem in _find_doubled_variables(train.section)]
        train_args = build_train_args(train.section, image_args, target)
        args["train"] = Reported(train_args, train.reported, _name_secret_variables(train.section))
    aml_infra.validate({f"{namespace}:{name}": each for name, each in args.items()}, found=problems)
    return Config(image=image_args, compute=compute_args, azure=azure, kubernetes=kubernetes_args, train=train_args)


def _find_clashes(own: Collection[str]) -> list[aml_infra.Problem]:
    """Settings that are of no use beside, or without, others."""
    problems = []
    there = [f"a {name}" if name == "workspace" else "a Kubernetes cluster" for name in CLUSTERS if name in own]
    if "compute" in own and there:
        text = f"is Docker on this machine, and there is {there[0]}; leave one of them out"
        problems.append(aml_infra.Problem("compute", text))
    if len(there) == len(CLUSTERS):
        text = "is another place than the workspace's cluster; leave one of them out"
        problems.append(aml_infra.Problem("kubernetes", text))
    if "workspace" not in own:
        text = "is of no use without a workspace; leave it out, or add a workspace"
        problems += [aml_infra.Problem(name, text) for name in ("registry", "cluster") if name in own]
    return problems


def _find_misplaced_secrets(
    own: Mapping[str, str], namespace: str, secret_keys: Collection[str], written: Mapping[str, object]
) -> list[aml_infra.Problem]:
    places = [f"{namespace}:{name}.{setting}" for name, settings in sections.SECURE.items() for setting in settings]
    allowed = f"secure values may only be in {', '.join(places[:-1])} and {places[-1]}"
    problems = []
    for name, text in own.items():
        path = f"{namespace}:{name}"
        if path not in secret_keys:
            continue
        value, settings = sections.read_object(text), sections.SECURE.get(name, ())
        found = secure_values.find_secure_values(written.get(path), value)
        if found:
            problems += [
                aml_infra.Problem(
                    sections.show_path(path, location),
                    f"is a secure value, which would be plain text in the state; {allowed}",
                )
                for location in found
                if not location or location[0] not in settings
            ]
        elif not sections.has_any(value, settings):
            problems.append(
                aml_infra.Problem(path, f"holds a secure value, which would be plain text in the state; {allowed}")
            )
    return problems


def _find_doubled_variables(section: sections.TrainSection) -> list[aml_infra.Problem]:
    return [
        aml_infra.Problem(
            f"secret_environment_variables[{name!r}]", "is in environment_variables, too; leave it out of one of them"
        )
        for name in section.secret_environment_variables
        if name in section.environment_variables
    ]


def _name_secret_variables(section: sections.TrainSection) -> dict[str, str]:
    """Maps the path that a secret variable has among the arguments to the one that the user wrote it under."""
    return {
        f"environment_variables[{name!r}]": f"secret_environment_variables[{name!r}]"
        for name in section.secret_environment_variables
    }


def build_image_args(
    section: sections.ImageSection, azure: azure_settings.Azure | None = None
) -> aml_infra.TrainingImageArgs:
    """The section as arguments, with its secrets made Pulumi secrets and its paths absolute."""
    values = dict(section)
    for name in ("dockerfile", "context", "conda_file", "pip_requirements"):
        values[name] = paths.locate(values[name])
    values["build_secrets"] = {name: pulumi.Output.secret(value) for name, value in section.build_secrets.items()}
    if section.registry is not None:
        values["registry"] = aml_infra.Registry.external(**dict(section.registry))
    elif azure is not None:
        values["registry"] = azure.registry
    if azure is not None:
        values["workspace"] = azure.stand_in
    return aml_infra.TrainingImageArgs(**values)


def build_compute_args(section: sections.ComputeSection) -> aml_infra.LocalDockerArgs:
    """The section as arguments."""
    return aml_infra.LocalDockerArgs(data_folder=paths.locate(section.data_folder))


def build_kubernetes_args(
    section: sections.KubernetesSection, login: sections.ExternalRegistrySection | None
) -> aml_infra.KubernetesClusterArgs:
    """The section as arguments; ``login`` is the image's own registry, if it has one."""
    values = dict(section)
    if section.kubeconfig is not None:
        values["kubeconfig"] = paths.locate(os.path.expanduser(section.kubeconfig))
    values["tolerations"] = [aml_infra.Toleration(**dict(each)) for each in section.tolerations]
    registry = None if login is None else aml_infra.Registry.external(**dict(login))
    return aml_infra.KubernetesClusterArgs(**values, registry=registry)


def build_train_args(
    section: sections.TrainSection,
    image: aml_infra.TrainingImageArgs,
    compute: aml_infra.LocalDockerArgs | aml_infra.GpuClusterArgs | aml_infra.KubernetesClusterArgs,
) -> aml_infra.TrainingJobArgs:
    """The section as arguments; ``image`` and ``compute`` stand in until they are made."""
    values = {**dict(section), "source": paths.locate(section.source) or ""}
    hidden = values.pop("secret_environment_variables")
    values["environment_variables"] = {
        **section.environment_variables,
        **{name: pulumi.Output.secret(value) for name, value in hidden.items()},
    }
    values["inputs"] = {
        name: aml_infra.DataInput(
            given.path if spec.is_uri(given.path) else paths.locate(given.path) or "",
            given.version,
            given.type,
            given.mode,
        )
        for name, given in section.inputs.items()
    }
    values["outputs"] = {name: aml_infra.DataOutput(**dict(asked)) for name, asked in section.outputs.items()}
    if section.distribution is not None:
        values["distribution"] = aml_infra.Distribution(**dict(section.distribution))
    return aml_infra.TrainingJobArgs(**values, image=image, compute=compute)
