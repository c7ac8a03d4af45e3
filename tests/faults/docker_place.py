"""Runs in Docker containers: of this machine's daemon, or of one of the tests' own, which may be killed."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import docker
import docker.errors
import requests

from aml_infra import naming
from tests.docker_daemon import find_socket
from tests.faults.own_daemon import OwnDaemon
from tests.faults.places import COMPLETED, Attempt, Place, choose, split_ranks
from tests.faults.schedules import Kill
from tests.integration.projects import TINY_IMAGE

_NEVER = "0001-"


class DockerPlace(Place):
    """A daemon.

    Args:
        data: the folder of the runs' records.
        daemon: the tests' own; None for that of the machine, which nobody kills.
    """

    def __init__(self, data: pathlib.Path, daemon: OwnDaemon | None = None) -> None:
        self._data = data
        self._daemon = daemon
        self._socket = f"unix://{find_socket()}" if daemon is None else daemon.address
        self._client = docker.APIClient(base_url=self._socket, version="auto", num_pools=20)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"DOCKER_HOST": self._socket, "AML_INFRA_DATA": str(self._data)}

    def build_args(self) -> dict[str, Any]:
        return {"image": TINY_IMAGE}

    def list_attempts(self, name: str) -> list[Attempt]:
        found = {}
        for each in self._list(name):
            if _is_claimed(each):
                attempt = self._read_container(each)
                found[attempt.name] = attempt
        for path in self._data.glob(f"runs/{name}-*/record.json"):
            record = json.loads(path.read_text())
            log = (path.parent / "logs/std_log.txt").read_text()
            found[path.parent.name] = Attempt(
                name=path.parent.name,
                number=record["attempt"],
                fingerprint=record["fingerprint"],
                status=record["status"],
                logs=split_ranks(log),
            )
        return list(found.values())

    def _read_container(self, listed: Mapping[str, Any]) -> Attempt:
        """An attempt that nobody has collected."""
        labels, state = listed["Labels"], self._client.inspect_container(listed["Id"])["State"]
        has_completed = state["Status"] == "exited" and state["ExitCode"] == 0
        return Attempt(
            name=listed["Names"][0].lstrip("/"),
            number=int(labels["aml-infra.attempt"]),
            fingerprint=labels["aml-infra.fingerprint"],
            status=COMPLETED if has_completed else state["Status"],
            logs={0: self._client.logs(listed["Id"]).decode().splitlines()},
        )

    def find_leftovers(self, name: str) -> list[str]:
        listed = self._list(name)
        groups = {each["Labels"]["aml-infra.group"] for each in listed if _is_claimed(each)}
        found = [
            f"container {each['Names']} belongs to no attempt"
            for each in listed
            if each["Labels"]["aml-infra.group"] not in groups
        ]
        # The log of a record must be what its container has printed, and a container that ran must have a record.
        for each in listed:
            if not self._client.inspect_container(each["Id"])["State"]["StartedAt"].startswith(_NEVER):
                labels = each["Labels"]
                attempt = naming.attempt_name(labels["aml-infra.run"], int(labels["aml-infra.attempt"]))
                log = self._data / "runs" / attempt / "logs/std_log.txt"
                kept = split_ranks(log.read_text()) if log.exists() else {}
                printed = self._client.logs(each["Id"]).decode().splitlines()
                if kept.get(int(labels["aml-infra.rank"]), []) != printed:
                    found.append(f"{attempt} has printed {printed}, and its record has {kept}")
        networks = self._client.networks(filters={"label": "aml-infra.run"})
        found += [
            f"network {each['Name']} is left" for each in networks if each["Labels"]["aml-infra.run"].startswith(name)
        ]
        return found

    def strike(self, name: str, kill: Kill) -> bool:
        if kill.victim == "job":
            running = [each for each in self._list(name) if _is_claimed(each) and each["State"] == "running"]
            if not running:
                return False
            group = running[0]["Labels"]["aml-infra.group"]
            workers = [each for each in self._list(name) if each["Labels"]["aml-infra.group"] == group]
            try:
                self._client.kill(choose(kill, workers)["Id"], "SIGKILL")
            except docker.errors.APIError as error:
                if error.status_code not in (requests.codes.not_found, requests.codes.conflict):
                    raise
                return False  # it has just ended
            return True
        assert self._daemon is not None, "the machine's own daemon is not to be killed"
        self._daemon.kill()
        self._daemon.start(after=kill.away)
        return True

    def let_go(self, name: str) -> None:
        (running,) = [each for each in self._list(name) if each["State"] == "running"]
        self._client.exec_start(self._client.exec_create(running["Id"], ["touch", "/workspace/outputs/go"])["Id"])

    def clean(self, name: str) -> None:
        for each in self._list(name):
            self._client.remove_container(each["Id"], force=True, v=True)
        for network in self._client.networks(filters={"label": "aml-infra.run"}):
            if network["Labels"]["aml-infra.run"].startswith(f"{name}-"):
                self._client.remove_network(network["Id"])

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def _list(self, name: str) -> list[dict[str, Any]]:
        found = self._client.containers(all=True, filters={"label": "aml-infra.run"})
        return [each for each in found if each["Labels"]["aml-infra.run"].startswith(f"{name}-")]


def _is_claimed(listed: Mapping[str, Any]) -> bool:
    labels = listed["Labels"]
    name = naming.attempt_name(labels["aml-infra.run"], int(labels["aml-infra.attempt"]))
    return f"/{name}" in (listed["Names"] or [])
