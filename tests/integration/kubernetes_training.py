"""Pulumi projects of the tests' own that train on Kubernetes."""

from __future__ import annotations

import json
import pathlib
import uuid
from typing import Any

from tests.contract.kubernetes_place import PASSWORD, KubernetesPlace
from tests.integration.projects import PROJECT, Project
from tests.local_registry import USER

PROGRAM = """\
import json
import pulumi
import aml_infra

with open("args.json") as file:
    given = json.load(file)
registry = aml_infra.Registry.external(*given["registry"])
made = {**given["cluster"], "registry": registry}
cluster = aml_infra.KubernetesCluster("training", aml_infra.KubernetesClusterArgs(**made))
for name, args in given["jobs"].items():
    if "distribution" in args:
        args["distribution"] = aml_infra.Distribution(workers=args["distribution"])
    args["environment_variables"] = {
        key: pulumi.Output.secret(value) for key, value in args.pop("secrets", {}).items()
    }
    job = aml_infra.TrainingJob(name, aml_infra.TrainingJobArgs(**args, compute=cluster))
    for output in ("run_id", "status", "attempt", "metrics", "outputs_path", "log_path", "image_digest"):
        pulumi.export(f"{name}.{output}", getattr(job, output))
"""


class KubernetesProject(Project):
    """A project with a cluster, in a namespace of its own, and jobs on it."""

    def __init__(self, folder: pathlib.Path, plugin: pathlib.Path, place: KubernetesPlace) -> None:
        super().__init__(folder, f"t{uuid.uuid4().hex[:8]}", folder / "data")
        self.place = place
        self.namespace = f"team-{self.name}"
        self.settings: dict[str, Any] = {}
        self.kept = place.make_volume(self.namespace)
        (self.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: kubernetes\n      path: {plugin}\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.write_script("echo line 1\necho line 2\n")

    @property
    def access(self) -> dict[str, Any]:
        """How the cluster is reached."""
        return {"kubeconfig": str(self.place.cluster.kubeconfig)}

    def declare(self, **changes: Any) -> None:
        """Makes the program declare the job, with these properties on top of the usual ones."""
        args = {"source": str(self.source), "command": ["sh", "train.sh"], "image": self.place.image, **changes}
        storage = {} if "outputs_claim" in self.settings else {"storage_class": self.namespace, "storage_gb": 1}
        cluster = {"namespace": self.namespace, **self.access, **storage, **self.settings}
        login = (self.place.registry.address, USER, PASSWORD)
        given = {"registry": login, "cluster": cluster, "jobs": {self.name: args}}
        (self.folder / "args.json").write_text(json.dumps(given))

    def list_jobs(self) -> list[str]:
        """The Jobs that there are."""
        found = self.place.cluster.objects.list_all("batch/v1", "Job", self.namespace)
        return [str(each["metadata"]["name"]) for each in found]

    def list_pods(self) -> list[dict[str, Any]]:
        """The pods of runs that there are."""
        return self.place.cluster.objects.list_all("v1", "Pod", self.namespace, labels="aml-infra.run")

    def let_go(self) -> None:
        """Lets a script that waits for the file ``outputs/go`` go on."""
        (folder,) = (self.kept / "runs").iterdir()
        (folder / "0/outputs/go").touch()
