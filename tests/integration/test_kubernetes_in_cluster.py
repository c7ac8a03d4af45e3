"""A pipeline's own pod: ``pulumi up`` there has the pod's service account, and no kubeconfig.

The pod sees this machine's files, and so its engine and its Python, but has nothing else of it; its service account has
the rights that the documentation says are enough.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pytest
import yaml

from tests.contract import kubernetes_place
from tests.contract.kubernetes_place import KubernetesPlace
from tests.integration.kubernetes_training import KubernetesProject
from tests.integration.projects import ROOT
from tests.kubernetes import images
from tests.kubernetes.cluster import is_ready
from tests.kubernetes_stand_in import installation

POD = "pipeline"
IMAGE = "cluster.invalid/pipeline:1"
MACHINE = "/machine"
"""Where the pod has this machine's files."""
TOKENS = "run/secrets/kubernetes.io/serviceaccount"
OWN_VARIABLES = ("PATH", "HOME", "LANG", "PULUMI_", "AML_INFRA_")
"""What the names of variables begin with that commands in the pod have of this machine."""


class PodProject(KubernetesProject):
    """A project whose commands run in a pod."""

    def __init__(self, folder: pathlib.Path, plugin: pathlib.Path, place: KubernetesPlace) -> None:
        super().__init__(folder, plugin, place)
        self.settings = {"create_namespace": False}
        self.environment["PULUMI_HOME"] = str(pathlib.Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser())
        self.environment["HOME"] = str(self.folder)

    @property
    def access(self) -> dict[str, Any]:
        """The program has no word of where the cluster is."""
        return {}

    def start(
        self, *command: str, environment: Mapping[str, str] | None = None, errors: int | IO[str] = subprocess.STDOUT
    ) -> subprocess.Popen[str]:
        """Starts ``pulumi command`` in the pod."""
        own = {name: value for name, value in self.environment.items() if name.startswith(OWN_VARIABLES)}
        variables = [f"{name}={value}" for name, value in {**own, **(environment or {})}.items()]
        inside = ["chroot", MACHINE, "/usr/bin/env", f"--chdir={self.folder}", *variables, "pulumi", *command]
        inside += ["--non-interactive", "--color=never"]
        kubectl = ["hyperkube", "kubectl", f"--kubeconfig={self.place.cluster.kubeconfig}"]
        return subprocess.Popen(
            [*kubectl, f"--namespace={self.namespace}", "exec", POD, "--", *inside],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )

    def open_pod(self) -> None:
        """Makes the namespace, and in it the pod with its rights."""
        objects = self.place.cluster.objects
        objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        account = {"name": POD, "namespace": self.namespace}
        objects.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        for each in read_rights():
            if "namespace" in each["metadata"]:
                each["metadata"]["namespace"] = self.namespace
            if "subjects" in each:
                each["subjects"] = [{"kind": "ServiceAccount", **account}]
            objects.apply(each)
        archive = self.folder / "image.tar"
        images.write_busybox(archive, IMAGE)
        self.place.cluster.load_image(archive)
        objects.apply(build_pod(self.namespace))
        objects.wait_for("v1", "Pod", POD, is_ready, namespace=self.namespace)


def read_rights() -> list[dict[str, Any]]:
    """What the documentation gives to whoever trains in a namespace that exists."""
    text = (ROOT / "docs" / "kubernetes.md").read_text().partition("## Rights")[2]
    return list(yaml.safe_load_all(text.partition("```yaml\n")[2].partition("```")[0]))


def build_pod(namespace: str) -> dict[str, Any]:
    """One that waits for commands; the network is the node's, as the registry is on its localhost."""
    token = {"serviceAccountToken": {"path": "token"}}
    authority = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    mounts = [{"name": "machine", "mountPath": MACHINE}, {"name": "login", "mountPath": f"{MACHINE}/{TOKENS}"}]
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "86400"], "volumeMounts": mounts}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": namespace},
        "spec": {
            "serviceAccountName": POD,
            "hostNetwork": True,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [
                {"name": "machine", "hostPath": {"path": "/"}},
                {"name": "login", "projected": {"sources": [token, authority]}},
            ],
        },
    }


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Iterator[PodProject]:
    """A project in a pod of a cluster."""
    with kubernetes_place.open_place(tmp_path / "place") as place:
        made = PodProject(tmp_path / "project", installation.find_plugin(tmp_path), place)
        made.open_pod()
        made.pulumi("stack", "init", "test")
        made.declare()
        yield made


def test_a_pod_trains_with_its_service_account(project: PodProject) -> None:
    """From nothing, with nothing to do then, changed and explained, and gone; nothing of the login is kept."""
    first = project.up()
    outputs = project.outputs()
    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    project.write_script("echo other\n")
    explained = project.pulumi("preview", "--diff")
    second = project.up()
    state = project.pulumi("stack", "export")
    project.pulumi("destroy", "--yes", "--skip-preview")
    left = project.place.cluster.objects.list_all("batch/v1", "Job", project.namespace)

    assert first.index("line 1") < first.index("line 2")
    assert (outputs["status"], outputs["attempt"]) == ("Completed", 1)
    assert "unchanged" in again
    assert "train.sh changed" in explained
    assert "other" in second
    assert re.search(r"eyJ[\w-]+\.eyJ", state) is None  # what each token begins with
    assert left == []
