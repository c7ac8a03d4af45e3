"""Runs as Jobs of a real Kubernetes, whose containers, pods and kubelet can be killed."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

from kubernetes import client

from aml_infra.backends.kubernetes_layout import ATTEMPT_LABEL, FINGERPRINT, RUN_LABEL
from tests.contract.kubernetes_place import NAMESPACE, KubernetesPlace
from tests.faults.places import Attempt, Place, choose
from tests.faults.schedules import Kill
from tests.kubernetes import enclosure

_GONE = re.compile(r"not found|already finished|no such process")
_NOT_FOUND = 404


class ClusterPlace(Place):
    """A namespace of a cluster with one node."""

    def __init__(self, made: KubernetesPlace) -> None:
        self._made = made
        self._objects = made.cluster.objects
        self._kubelet = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        return {}

    def build_args(self) -> dict[str, Any]:
        place = self._made.place
        options = {
            "kubeconfig": str(self._made.cluster.kubeconfig),
            "namespace": place.namespace,
            "claim": place.claim,
            "pull_secret": place.pull_secret,
        }
        return {"image": self._made.image, "backend": "kubernetes", "backend_options": options}

    def list_attempts(self, name: str) -> list[Attempt]:
        return [self._read(record) for record in self._list("v1", "ConfigMap", name)]

    def _read(self, record: Mapping[str, Any]) -> Attempt:
        found = record["metadata"]
        folder = self._made.kept / "runs" / found["name"]
        logs = {int(log.parts[-3]): log.read_text().splitlines() for log in folder.glob("*/store/std_log.txt")}
        return Attempt(
            name=found["name"],
            number=int(found["labels"][ATTEMPT_LABEL]),
            fingerprint=found["annotations"][FINGERPRINT],
            status=json.loads(record["data"].get("state", "{}")).get("status", ""),
            logs=logs,
        )

    def find_leftovers(self, name: str) -> list[str]:
        known = {each["metadata"]["name"] for each in self._list("v1", "ConfigMap", name)}
        jobs = [each["metadata"]["name"] for each in self._list("batch/v1", "Job", name)]
        found = [f"Job {each} belongs to no attempt" for each in jobs if each not in known]
        pods = self._list("v1", "Pod", name)
        found += [f"pod {each['metadata']['name']} goes on" for each in pods if each["status"]["phase"] == "Running"]
        return found + [f"Secret {each['metadata']['name']} is left" for each in self._list("v1", "Secret", name)]

    def strike(self, name: str, kill: Kill) -> bool:
        if kill.victim == "kubelet":
            # The node is everybody's: one at a time, and other runs are disturbed by it as well.
            with self._kubelet:
                self._made.cluster.kill_kubelet("node1")
                time.sleep(kill.away)
                self._made.cluster.restart_kubelet("node1")
            return True
        running = [pod for pod in self._list("v1", "Pod", name) if _is_running(pod)]
        if not running:
            return False
        pod = choose(kill, running)
        return self._evict(pod) if kill.victim == "pod" else self._kill_container(pod)

    def _evict(self, pod: Mapping[str, Any]) -> bool:
        try:
            self._made.cluster.evict(NAMESPACE, pod["metadata"]["name"])
        except client.ApiException as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    def _kill_container(self, pod: Mapping[str, Any]) -> bool:
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        cluster = self._made.cluster
        argv = cluster.nodes[pod["spec"]["nodeName"]].build_ctr(
            "tasks", "kill", "--all", "--signal", "SIGKILL", container
        )
        try:
            cluster.run(argv)
        except enclosure.EnclosureError as error:
            if not _GONE.search(str(error)):
                raise
            return False
        return True

    def let_go(self, name: str) -> None:
        (folder,) = self._made.kept.glob(f"runs/{name}-*")
        (folder / "0/outputs/go").touch()

    def clean(self, name: str) -> None:
        for version, kind in (("batch/v1", "Job"), ("v1", "ConfigMap"), ("v1", "Secret")):
            for each in self._list(version, kind, name):
                self._objects.delete(version, kind, each["metadata"]["name"], NAMESPACE)

    def _list(self, version: str, kind: str, name: str) -> list[dict[str, Any]]:
        found = self._objects.list_all(version, kind, NAMESPACE, labels=RUN_LABEL)
        return [each for each in found if each["metadata"]["labels"][RUN_LABEL].startswith(f"{name}-")]


def _is_running(pod: Mapping[str, Any]) -> bool:
    states = [each["state"] for each in pod["status"].get("containerStatuses", ())]
    return bool(states) and all("running" in each for each in states)
