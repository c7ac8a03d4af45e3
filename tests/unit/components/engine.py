"""A Pulumi engine in memory, for tests of components."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import pulumi
from pulumi.runtime.proto import callback_pb2

from aml_infra.components.registry_login import TOKEN_USER
from tests.unit.components import azure_resources

AZURE_PROVIDER = "pulumi:providers:azure-native"
BASE_DIGEST = "sha256:" + "b" * 64
BUILT_DIGEST = "sha256:" + "d" * 64
DOCKER_IMAGE = "docker-build:index:Image"
DOCKER_PROVIDER = "pulumi:providers:docker"
ENVIRONMENT = "azure-native:machinelearningservices:EnvironmentVersion"
GET_CLIENT = "azure-native:authorization:getClientConfig"
GET_COMPUTE = "azure-native:machinelearningservices:getCompute"
GET_CLUSTER = "azure-native:containerservice:getManagedCluster"
GET_ENVIRONMENT = "azure-native:machinelearningservices:getEnvironmentContainer"
GET_ENVIRONMENT_VERSION = "azure-native:machinelearningservices:getEnvironmentVersion"
GET_REGISTRY_IMAGE = "docker:index/getRegistryImage:getRegistryImage"
KUBERNETES_PROVIDER = "pulumi:providers:kubernetes"
GET_WORKSPACE = "azure-native:machinelearningservices:getWorkspace"
RUN = "aml-infra:index:TrainingRun"
SOFT_DELETION = "aml-infra:index:SoftDeletion"


@dataclasses.dataclass
class Engine(pulumi.runtime.Mocks):
    """A Pulumi engine in memory: records what is registered, and knows some functions. Anything else fails."""

    resources: list[pulumi.runtime.MockResourceArgs] = dataclasses.field(default_factory=list)
    hooks: dict[str, pulumi.ResourceHook] = dataclasses.field(default_factory=dict)
    images: dict[str, str] = dataclasses.field(default_factory=dict)
    daemon: dict[str, Any] = dataclasses.field(
        default_factory=lambda: {"version": "20.10", "cpus": 4, "memoryGb": 8.0, "gpus": False}
    )
    registry_images: dict[str, str] = dataclasses.field(default_factory=dict)
    client: dict[str, str] = dataclasses.field(default_factory=lambda: dict(azure_resources.CLIENT))
    workspaces: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    computes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    environments: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    clusters: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    transforms: list[pulumi.ResourceTransform] = dataclasses.field(default_factory=list)
    tokens: int = 0
    note: str = ""
    waits: list[float] = dataclasses.field(default_factory=list)
    failure: str | None = None
    calls: list[str] = dataclasses.field(default_factory=list)
    providers: list[str | None] = dataclasses.field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.calls.append(args.token)
        self.providers.append(args.provider)
        if self.failure is not None:
            return {}, [("", self.failure)]
        function = args.token.removeprefix("aml-infra:index:")
        if function == "getDockerDaemon" and args.args == {}:
            return self.daemon
        if function == "getImage" and args.args["backend"] == "docker":
            image = args.args["image"]
            if image in self.images:
                return {"digest": self.images[image]}
            heading = "1 problem in the program's input; nothing was created"
            return {}, [("", f"{heading}\n  - image: {image!r} is not in Docker here; pull it")]
        if args.token == GET_REGISTRY_IMAGE and set(args.args) == {"name"}:
            image = args.args["name"]
            if image in self.registry_images and DOCKER_PROVIDER in args.provider:
                return {"name": image, "sha256Digest": self.registry_images[image], "id": image}
            return {}, [("", f"registry has no {image}")]
        if function == "getRegistryToken":
            self.tokens += 1
            return {"username": TOKEN_USER, "password": f"token {self.tokens} of {args.args['server']}"}
        if function == "getKubernetesAccess":
            self.waits.append(args.args["waitSeconds"])
            return {"server": "https://pets.azmk8s.io:443", "certificateAuthority": "Q0E=", "note": self.note}
        return self._ask_azure(args)

    def _ask_azure(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token == GET_CLIENT and args.args == {}:
            return self.client
        if args.token == GET_WORKSPACE:
            path = f"{args.args['resourceGroupName']}/{args.args['workspaceName']}"
            return self.workspaces.get(path) or ({}, [("", f"ResourceNotFound: {path}")])
        if args.token == GET_COMPUTE:
            return find(self.computes, args.args["computeName"])
        if args.token == GET_CLUSTER:
            return find(self.clusters, args.args["resourceName"])
        if args.token == GET_ENVIRONMENT:
            return find(self.environments, args.args["name"])
        if args.token == GET_ENVIRONMENT_VERSION:
            return find(self.environments, f"{args.args['name']}:{args.args['version']}")
        raise NotImplementedError(args.token)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        if args.typ == DOCKER_IMAGE:
            return BUILT_DIGEST, {**args.inputs, "digest": BUILT_DIGEST, "ref": args.inputs["tags"][0]}
        if args.typ in (AZURE_PROVIDER, DOCKER_PROVIDER, KUBERNETES_PROVIDER):
            return args.name, args.inputs
        if args.typ == RUN:
            return f"{args.name}-0123", {
                **args.inputs,
                "runId": f"{args.name}-0123",
                "status": "Completed",
                "attempt": 1,
            }
        if args.typ == SOFT_DELETION:
            return args.inputs["resourceId"], {**args.inputs, "mode": "default"}
        if args.typ.startswith("kubernetes:"):
            metadata = args.inputs["metadata"]
            return "/".join(filter(None, (metadata.get("namespace"), metadata["name"]))), args.inputs
        if args.typ.startswith("azure-native:"):
            return azure_resources.create(args.typ, args.inputs)
        if args.typ.startswith("aml-infra:index:"):
            return None, args.inputs
        raise NotImplementedError(args.typ)

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """What the callback server of the SDK does, which there is none of with mocks."""
        self.hooks[hook.name] = hook

    def register_transform(self, transform: pulumi.ResourceTransform) -> callback_pb2.Callback:
        """As above; what it does is tried by hand."""
        self.transforms.append(transform)
        return callback_pb2.Callback(token=str(len(self.transforms)))

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """As above; nothing fails here."""

    def find(self, typ: str) -> pulumi.runtime.MockResourceArgs:
        """The one resource of type ``typ``."""
        (found,) = [resource for resource in self.resources if resource.typ == typ]
        return found

    def run(self, program: Callable[[], object]) -> dict[str, Any]:
        """Runs ``program`` to its end; returns the values of the outputs that it returns, if it returns a mapping."""
        values: dict[str, Any] = {}

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def run_program() -> pulumi.Output[None]:
            return pulumi.Output.from_input(_read_outputs(program())).apply(values.update)

        with mock.patch.object(pulumi.resource, "collapse_alias_to_urn", _skip_alias):
            run_program()
        return values


def find(known: Mapping[str, dict[str, Any]], name: str) -> Any:
    """One of what Azure knows, else a failure in its words."""
    if name in known and "failure" in known[name]:
        return {}, [("", known[name]["failure"])]
    if name in known:
        return known[name]
    return {}, [("", f'Status=404 Code="ResourceNotFound" Message="{name} was not found"')]


def _skip_alias(*_: object) -> str:
    """In place of the URN of an alias, which the SDK computes for engines that are too old to do that themselves.

    Resources of Azure have dozens of aliases; nobody reads their URNs here, and they took most of the time of a test.
    """
    return ""


def _read_outputs(result: object) -> dict[str, Any]:
    return dict(result) if isinstance(result, Mapping) else {}
