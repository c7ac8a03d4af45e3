"""Projects with a registry's password, a build secret and secret variables, on each kind of compute."""

from __future__ import annotations

import json
import pathlib
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import IO, Any

import docker.errors

from aml_infra.backends.docker_request import STORE, WORKSPACE
from tests.azure.resources import Resource
from tests.azure.server import Azure
from tests.contract.kubernetes_place import KubernetesPlace
from tests.contract.learning_place import DOCKERFILE, LearningPlace
from tests.docker_daemon import open_docker
from tests.integration import secret_places
from tests.integration.projects import PROJECT, TIMEOUT_SECONDS, Project, interrupt, read_until
from tests.integration.secret_places import Places, WatchedRegistry
from tests.integration.test_training_image import PYTHON_IMAGE
from tests.local_registry import USER

DEBUGGING = ("--debug", "--logtostderr", "--logflow", "-v=9")
"""Plugins are told to log as much as the engine does."""

RUN = "aml-infra:index:TrainingRun"

PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    given = json.load(file)
with open("secrets.json") as file:
    secrets = {{name: pulumi.Output.secret(value) for name, value in json.load(file).items()}}
account = (*given["account"], secrets["password"])
{compute}
image = aml_infra.TrainingImage(
    given["name"],
    aml_infra.TrainingImageArgs(
        dockerfile="image/Dockerfile", registry=registry, build_secrets={{"TOKEN": secrets["build"]}}
    ),
)
job = aml_infra.TrainingJob(
    given["name"],
    aml_infra.TrainingJobArgs(
        source="src",
        command=["sh", "train.sh"],
        image=image,
        compute=compute,
        environment_variables={{name: secrets[name] for name in given["variables"]}},
    ),
)
"""

SCRIPT = """\
echo begun, TOKEN has ${{#TOKEN}} letters
until [ -e outputs/go ]; do sleep 0.1; done
exit {code}
"""
"""Says that it has the variable, and not what it is: that the log which is shown hides it is another test's."""


class SecretProject(Project):
    """One whose job runs in Docker.

    Attributes:
        printed: what its commands have printed, and all that was logged, but what Pulumi itself has of properties.
        logged: what it has logged of properties.
    """

    compute = """\
registry = aml_infra.Registry.external(*account)
compute = aml_infra.LocalDocker("docker")"""
    dockerfile = PYTHON_IMAGE

    def __init__(self, folder: pathlib.Path, registry: WatchedRegistry, plugins: Mapping[str, pathlib.Path]) -> None:
        super().__init__(folder, f"t{uuid.uuid4().hex[:8]}", folder / "data")
        self.registry = registry
        self.printed = self.logged = ""
        self._since = time.time()
        for variable, name in {"TMPDIR": "tmp", "AML_INFRA_STAT_CACHE": "cache"}.items():
            (folder / name).mkdir()
            self.environment[variable] = str(folder / name)
        listed = "".join(f"    - name: {name}\n      path: {place}\n" for name, place in plugins.items())
        (folder / "Pulumi.yaml").write_text(f"{PROJECT}{listed}")
        (folder / "__main__.py").write_text(PROGRAM.format(compute=self.compute))
        (folder / "image").mkdir()
        use = f"RUN --mount=type=secret,id=TOKEN test -s /run/secrets/TOKEN # {self.name}\n"
        (folder / "image" / "Dockerfile").write_text(f"{self.dockerfile}{use}")
        self.pulumi("stack", "init", "test")
        self._secrets = {"password": registry.password, "build": registry.markers.plant("build")}

    def give(self, *variables: str) -> None:
        """Gives these variables new secret values."""
        self._secrets |= {name: self.registry.markers.plant(name) for name in variables}
        # And not into the stack's settings: whatever is secret there, the engine takes out of all that it prints.
        (self.folder / "secrets.json").write_text(json.dumps(self._secrets))

    def declare(self, *variables: str, code: int = 0, **given: Any) -> None:
        """Makes the program declare a job that has these variables, and ends with this exit code."""
        self.write_script(SCRIPT.format(code=code))
        given |= {"name": self.name, "account": [f"{self.registry.address}/team", USER], "variables": variables}
        (self.folder / "args.json").write_text(json.dumps(given))

    def ask(self, *command: str) -> str:
        """``pulumi command`` with all that can be logged."""
        with tempfile.TemporaryFile("w+") as errors:
            process = self.start(*command, *DEBUGGING, errors=errors)
            said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            noted = self._note(said, errors)
        assert process.returncode == 0, noted
        return noted

    def train(self) -> tuple[str, list[str]]:
        """``pulumi up`` of a job that waits to be let go; gives its output, and what was found while it waited."""
        with tempfile.TemporaryFile("w+") as errors:
            process = self.start("up", "--yes", "--skip-preview", *DEBUGGING, errors=errors)
            try:
                said = "".join(read_until(process, "begun, "))
                self.registry.look()
                found = self.registry.markers.find(self.list_places(going=True))
                self.let_go()
            except BaseException:
                interrupt(process)
                raise
            finally:
                rest, _ = process.communicate(timeout=TIMEOUT_SECONDS)
            return self._note(said + rest, errors), found

    def let_go(self) -> None:
        """Lets the job that goes on end."""
        (container,) = [each for each in self.containers() if each["State"] == "running"]
        client = open_docker()
        client.exec_start(client.exec_create(container["Id"], ["touch", "/workspace/outputs/go"])["Id"])

    def _note(self, said: str, errors: IO[str]) -> str:
        errors.seek(0)
        own, rest = secret_places.split_log(f"{said}\n{errors.read()}")
        self.logged += own
        self.printed += rest
        return rest

    def export_run(self) -> dict[str, Any]:
        """``pulumi stack export``; gives the outputs of the run, and not of one that it is to replace."""
        said = self.pulumi("stack", "export")
        self.printed += said
        runs = [each for each in json.loads(said)["deployment"]["resources"] if each["type"] == RUN]
        (run,) = [each for each in runs if not each.get("delete")]
        return dict(run["outputs"])

    def search(self) -> list[str]:
        """The secrets that were left anywhere."""
        return self.registry.markers.find(self.list_places(going=False))

    def list_places(self, *, going: bool) -> Places:
        """Where a secret might be.

        Args:
            going: Whether a job is, which has its variables meanwhile.
        """
        own = pathlib.Path.home() / ".docker" / "config.json"
        return {
            "output of commands": [self.printed.encode()],
            "the engine's own logs": secret_places.read_engine_logs(self._since),
            "state, its history and backups": secret_places.read_files(self.folder / "state"),
            "settings of the stack": [path.read_bytes() for path in self.folder.glob("Pulumi*.yaml")],
            "records, logs and MLflow's store": secret_places.read_files(self.data),
            "temporary files": secret_places.read_files(self.folder / "tmp"),
            "what is known of source files": secret_places.read_files(self.folder / "cache"),
            "Docker's settings": [own.read_bytes() if own.is_file() else b""],
            "command lines": set(self.registry.command_lines),
            **self.list_service(going=going),
        }

    def list_service(self, *, going: bool) -> Places:
        """Where a secret might be that is the compute's."""
        # The variables come as a file that is gone before the command starts: nothing here is their place.
        containers = [each["Id"] for each in self.containers()]
        return {
            "containers": [json.dumps(open_docker().inspect_container(each)).encode() for each in containers],
            "files in containers": (_read_archive(each, path) for each in containers for path in (WORKSPACE, STORE)),
        }


def _read_archive(container: str, path: str) -> bytes:
    try:
        chunks, _ = open_docker().get_archive(container, path)
    except docker.errors.NotFound:
        return b""
    return b"".join(chunks)


class KubernetesProject(SecretProject):
    """One whose job runs in a namespace of its own."""

    compute = """\
registry = aml_infra.Registry.external(*account)
compute = aml_infra.KubernetesCluster(
    "training", aml_infra.KubernetesClusterArgs(**given["cluster"], registry=registry)
)"""

    def __init__(
        self,
        folder: pathlib.Path,
        registry: WatchedRegistry,
        plugins: Mapping[str, pathlib.Path],
        place: KubernetesPlace,
    ) -> None:
        super().__init__(folder, registry, plugins)
        self.namespace = f"team-{self.name}"
        self._cluster = place.cluster
        self._cluster.forward(int(registry.address.rpartition(":")[2]))
        self._kept = place.make_volume(self.namespace)

    def declare(self, *variables: str, code: int = 0, **given: Any) -> None:
        access = {"kubeconfig": str(self._cluster.kubeconfig), "namespace": self.namespace}
        cluster = {**access, "storage_class": self.namespace, "storage_gb": 1}
        super().declare(*variables, code=code, cluster=cluster, **given)

    def let_go(self) -> None:
        for folder in (self._kept / "runs").iterdir():
            (folder / "0/outputs/go").touch()

    def list_service(self, *, going: bool) -> Places:
        return {
            "volume": secret_places.read_files(self._kept),
            "objects of the namespace": (
                json.dumps(each).encode()
                for each in self._cluster.objects.list_everything(self.namespace)
                if not _is_place_of_use(each, going=going)
            ),
            "logs of the cluster": secret_places.read_files(self._cluster.folder / "logs"),
        }


def _is_place_of_use(found: Mapping[str, Any], *, going: bool) -> bool:
    """Whether it is the Secret with the registry's login; or that with the variables of a run, while it goes on."""
    return found["kind"] == "Secret" and (going or found["type"] == "kubernetes.io/dockerconfigjson")


class AzureProject(SecretProject):
    """One whose job runs in a workspace that it makes."""

    compute = """\
place = aml_infra.WorkspaceArgs(location="westeurope", public_network_access=True, purge_protection=False)
workspace = aml_infra.Workspace("pets", place)
registry = aml_infra.Registry.external(*account, workspace=workspace, name="images")
compute = aml_infra.GpuCluster("gpu", aml_infra.GpuClusterArgs(workspace=workspace))"""
    dockerfile = DOCKERFILE

    def __init__(
        self,
        folder: pathlib.Path,
        registry: WatchedRegistry,
        plugins: Mapping[str, pathlib.Path],
        azure: Azure,
        home: pathlib.Path,
    ) -> None:
        super().__init__(folder, registry, plugins)
        self.environment.update(azure.environment)
        self._cloud = azure.cloud
        self._home = home

    def let_go(self) -> None:
        (job,) = [each for each in self._list("jobs") if each.properties["status"] == "Running"]
        LearningPlace.run_inside(job.name, "touch outputs/go")

    def list_service(self, *, going: bool) -> Places:
        cloud = self._cloud
        with cloud.lock:
            resources = [each for store in (cloud.resources, cloud.deleted) for each in store]
            # The key vault has what a connection logs in with: the registry's password, or the variables of a job.
            connections = [each for each in self._list("connections") if each.properties["category"] == "CustomKeys"]
            kept = [] if going else connections
            return {
                "resources": [json.dumps([each.body, each.previous]).encode() for each in resources],
                "connections of jobs that have ended": [json.dumps(each.secrets).encode() for each in kept],
                "addresses of requests": [repr(call).encode() for call in cloud.calls],
                "blobs": self._read_blobs(),
                "MLflow's server, and logs of services": secret_places.read_files(self._home),
            }

    def _read_blobs(self) -> Iterator[bytes]:
        blobs = self._cloud.blobs
        assert blobs is not None
        for each in self._list("datastores"):
            (account,) = [other for other in self._cloud.resources if other.name == each.properties["accountName"]]
            container = each.properties["containerName"]
            for name in blobs.list_names(account, container, ""):
                yield name.encode()
                yield from secret_places.unzip(blobs.read(account, container, name))

    def _list(self, kind: str) -> list[Resource]:
        return [each for each in self._cloud.resources if each.type.endswith(f"/workspaces/{kind}")]
