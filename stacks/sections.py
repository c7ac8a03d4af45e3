"""The objects of a stack's configuration as they are written, and what is wrong with how they are."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import reprlib
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

import pydantic
import pydantic_core

import aml_infra


class Section(pydantic.BaseModel):
    """One object of the configuration. Unknown names are errors, and nothing is turned into another type."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class PrincipalSection(Section):
    """One of ``workspace.contributors`` or ``registry.pushers``: see ``Principal``."""

    object_id: str
    type: Literal["User", "Group", "ServicePrincipal"] = "User"


class OutboundRuleSection(Section):
    """One of ``workspace.outbound_rules``: see ``OutboundRule``."""

    fqdn: str | None = None
    resource_id: str | None = None
    subresource: str | None = None
    service_tag: str | None = None
    port_ranges: str | None = None
    protocol: str | None = None


class WorkspaceSection(Section):
    """``workspace``: see ``WorkspaceArgs``; or ``config_file`` alone: see ``Workspace.from_config``."""

    config_file: str | None = None
    location: str | None = None
    resource_group: str | None = None
    workspace_name: str | None = None
    friendly_name: str | None = None
    description: str | None = None
    public_network_access: bool = False
    high_business_impact: bool = False
    managed_network: str = "allow_internet_outbound"
    outbound_rules: dict[str, OutboundRuleSection] = {}
    private_endpoint_subnet_id: str | None = None
    private_dns_zone_ids: list[str] = []
    purge_protection: bool = True
    soft_delete_days: int = 90
    storage_redundancy: str = "Standard_LRS"
    log_retention_days: int = 30
    contributors: dict[str, PrincipalSection] | None = None
    config_path: str | None = None
    tags: dict[str, str] = {}


class RegistrySection(Section):
    """``registry``: see ``RegistryArgs``."""

    sku: str | None = None
    public_network_access: bool | None = None
    zone_redundancy: bool = True
    private_endpoint_subnet_id: str | None = None
    private_dns_zone_ids: list[str] = []
    pushers: dict[str, PrincipalSection] | None = None
    tags: dict[str, str] | None = None


class ClusterSection(Section):
    """``cluster``: see ``GpuClusterArgs``."""

    vm_size: str = "STANDARD_NC4AS_T4_V3"
    min_nodes: int = 0
    max_nodes: int = 1
    idle_seconds: int = 120
    low_priority: bool = False
    subnet_id: str | None = None
    node_public_ip: bool | None = None
    adopt: str | None = None
    tags: dict[str, str] | None = None


class TolerationSection(Section):
    """One of ``kubernetes.tolerations``: see ``Toleration``."""

    key: str = ""
    operator: str | None = None
    value: str = ""
    effect: str | None = None
    seconds: int | None = None


class KubernetesSection(Section):
    """``kubernetes``: see ``KubernetesClusterArgs``; its registry is that of ``image``."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    create_namespace: bool = True
    gpu_quota: int | None = None
    cpu_quota: float | None = None
    memory_quota_gb: float | None = None
    default_cpus: float = 0.5
    default_memory_gb: float = 1
    outputs_claim: str | None = None
    storage_class: str | None = None
    storage_gb: float = 100
    shared_storage: bool = True
    queue: str | None = None
    node_selector: dict[str, str] = {}
    tolerations: list[TolerationSection] = []
    autoscaling: bool | None = None
    priority_class: str | None = None
    shared_memory_gb: float = 2
    egress_cidrs: list[str] | None = None
    device_plugin: bool | None = None
    pending_minutes: float = 30
    runtime: str | None = None


class ExternalRegistrySection(Section):
    """``image.registry``: see ``Registry.external``."""

    server: str
    username: str
    password: str


class ImageSection(Section):
    """``image``: see ``TrainingImageArgs``."""

    base_image: str | None = None
    conda_file: str | None = None
    pip_requirements: str | None = None
    dockerfile: str | None = None
    context: str | None = None
    build_args: dict[str, str] = {}
    build_secrets: dict[str, str] = {}
    host_ca_secret: str | None = None
    platform: str | None = None
    user_managed_dependencies: bool | None = None
    cache_from: list[str] = []
    cache_to: list[str] = []
    registry: ExternalRegistrySection | None = None
    image_identity: Literal["build_key", "digest"] = "build_key"


class ComputeSection(Section):
    """``compute``: see ``LocalDockerArgs``."""

    data_folder: str | None = None


class InputSection(Section):
    """One of ``train.inputs``: see ``DataInput``."""

    path: str
    version: str | None = None
    type: Literal["folder", "file"] = "folder"
    mode: Literal["mount", "download"] = "mount"


class OutputSection(Section):
    """One of ``train.outputs``: see ``DataOutput``."""

    path: str | None = None
    mode: Literal["mount", "upload"] = "mount"


class DistributionSection(Section):
    """``train.distribution``: see ``Distribution``."""

    workers: int
    framework: Literal["pytorch", "tensorflow", "mpi"] = "pytorch"
    processes_per_worker: int = 1


def _read_input(value: object) -> object:
    """A text as the path that it is short for; anything but that and a map is refused in the user's terms."""
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, dict):
        return value
    raise pydantic_core.PydanticCustomError("input", "give a path or a URI, or a map of path, version, type and mode")


def _read_parameter(value: object) -> object:
    """In one step, as each kind of a union would report the same value once more."""
    if isinstance(value, (str, int, float)):
        return value
    raise pydantic_core.PydanticCustomError("parameter", "allowed are text, numbers, true and false")


class TrainSection(Section):
    """``train``: see ``TrainingJobArgs``."""

    source: str
    command: list[str]
    parameters: dict[str, Annotated[str | int | float | bool, pydantic.PlainValidator(_read_parameter)]] = {}
    inputs: dict[str, Annotated[InputSection, pydantic.BeforeValidator(_read_input)]] = {}
    outputs: dict[str, OutputSection] = {}
    environment_variables: dict[str, str] = {}
    secret_environment_variables: dict[str, str] = {}
    distribution: DistributionSection | None = None
    triggers: dict[str, str] = {}
    cpus: float | None = None
    memory_gb: float | None = None
    gpus: int = 0
    timeout_minutes: float | None = None
    experiment: str | None = None
    display_name: str | None = None
    tags: dict[str, str] = {}
    identity: str | None = None
    allow_secrets: list[str] = []
    require_metrics: list[str] = []
    retries: int = 0
    retry_on: list[str] = ["NotResponding"]
    wait: bool = True
    on_interrupt: Literal["detach", "cancel"] = "detach"
    on_destroy: Literal["cancel", "retain"] = "cancel"


SECTIONS: dict[str, type[Section]] = {
    "workspace": WorkspaceSection,
    "registry": RegistrySection,
    "cluster": ClusterSection,
    "kubernetes": KubernetesSection,
    "image": ImageSection,
    "compute": ComputeSection,
    "train": TrainSection,
}
"""All settings: ``workspace``, ``registry`` and ``cluster`` are for Azure, ``kubernetes`` for a cluster that exists,
``compute`` for Docker on this machine."""

SUBSECTIONS: dict[str, type[Section]] = {
    "contributors": PrincipalSection,
    "outbound_rules": OutboundRuleSection,
    "pushers": PrincipalSection,
    "tolerations": TolerationSection,
    "registry": ExternalRegistrySection,
    "inputs": InputSection,
    "outputs": OutputSection,
    "distribution": DistributionSection,
}
"""Settings that are objects themselves, or maps of such."""

SECURE = {"image": ("build_secrets", "registry"), "train": ("secret_environment_variables",)}
"""Where secure values may be: what is read from there becomes a Pulumi secret."""

HIDDEN = (*SECURE["image"], *SECURE["train"], "build_args", "environment_variables")
"""Settings whose values no message shows."""

UNREAD: dict[str, Any] = {
    "source": "",
    "command": [],
    "registry": {"server": "", "username": "", "password": ""},
    "public_network_access": True,
    "managed_network": "allow_only_approved_outbound",
}
"""Stands for settings that could not be read, where they are required, or others would be wrong without them."""

TYPES = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
}
"""What a user calls the type that a setting must have."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200

SectionT = TypeVar("SectionT", bound=Section)


@dataclasses.dataclass(frozen=True)
class Read(Generic[SectionT]):
    """A section as far as it could be read, and the settings in it that could not."""

    section: SectionT
    reported: frozenset[str] = frozenset()


def read_section(
    model: type[SectionT],
    name: str,
    values: Mapping[str, str],
    namespace: str,
    hidden: Collection[str],
    problems: list[aml_infra.Problem],
) -> Read[SectionT]:
    """The section called ``name``, as far as it can be read; what is wrong with it is added to ``problems``."""
    path = f"{namespace}:{name}"
    names = frozenset(model.model_fields)
    value = read_object(values.get(name, "{}"))
    if value is None:
        # The value itself is not shown, as it may be a secret.
        problems.append(
            aml_infra.Problem(path, f"is not an object; give its settings under it: {', '.join(model.model_fields)}")
        )
        return Read(_read_rest(model, {}, names), names)
    try:
        return Read(model.model_validate(value))
    except pydantic.ValidationError as error:
        errors = error.errors(include_url=False)
        problems += [_explain(path, dict(one), model, is_hidden=name in hidden) for one in errors]
        # A name that is no text is nowhere.
        reported = frozenset(str(one["loc"][0]) for one in errors if one["loc"])
        # The rest is read all the same, so that its problems are told too.
        rest = {key: value[key] for key in value.keys() & names - reported}
        return Read(_read_rest(model, rest, reported & names), reported)


def read_object(text: str) -> dict[str, Any] | None:
    """The object that ``text`` is in JSON, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # No JSON, or numbers of thousands of digits, or objects in thousands of objects.
        return None
    return value if isinstance(value, dict) else None


def has_any(value: Mapping[str, Any] | None, settings: Collection[str]) -> bool:
    """Whether one of ``settings`` is given."""
    return value is not None and any(value.get(each) for each in settings)


def _read_rest(model: type[SectionT], values: Mapping[str, Any], reported: Collection[str]) -> SectionT:
    return model.model_validate({**values, **{name: UNREAD[name] for name in UNREAD if name in reported}})


def _explain(path: str, error: Mapping[str, Any], model: type[Section], *, is_hidden: bool) -> aml_infra.Problem:
    location = error["loc"]
    full = show_path(path, location)
    if error["type"] == "extra_forbidden":
        owner = SUBSECTIONS.get(str(location[0]), model) if len(location) > 1 else model
        return aml_infra.Problem(full, f"is not a setting; {suggest(str(location[-1]), owner.model_fields)}")
    if error["type"] == "missing":
        return aml_infra.Problem(full, "is missing; it has no default")
    if error["type"] == "string_unicode":
        return aml_infra.Problem(full, "holds half of a character, which no UTF-8 can be; remove it")
    what = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] in TYPES:
        what = f"allowed is {TYPES[error['type']]}"
    # Where in a section its secure value is, Pulumi does not tell.
    shown = "" if is_hidden or location[0] in HIDDEN else f"is {_SHORT.repr(error['input'])}; "
    return aml_infra.Problem(full, f"{shown}{what.removeprefix('input ')}")


def show_path(path: str, location: Collection[str | int]) -> str:
    """The path of what is at ``location`` in the section at ``path``."""
    return path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def suggest(name: str, allowed: Mapping[str, object]) -> str:
    """What the user may have meant by ``name``."""
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed are {', '.join(allowed)}"


@dataclasses.dataclass(frozen=True)
class Reported:
    """Arguments less the problems of settings that were reported already; ``renamed`` has the user's own paths."""

    args: aml_infra.Args
    reported: frozenset[str]
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def find_problems(self, machine: Any) -> list[aml_infra.Problem]:
        """The problems that are left."""
        return [
            dataclasses.replace(problem, path=self.renamed.get(problem.path, problem.path))
            for problem in self.args.find_problems(machine)
            if re.split(r"[.\[]", problem.path)[0] not in self.reported
        ]
