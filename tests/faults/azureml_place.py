"""Runs as jobs of the tests' Azure, whose nodes can be taken away or lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aml_infra.backends.azureml_request import ATTEMPT, FINGERPRINT
from tests.azure.job_runs import statuses
from tests.azure.resources import Resource
from tests.contract.learning_place import LearningPlace
from tests.faults.places import Attempt, Place
from tests.faults.schedules import Kill
from tests.integration.projects import TINY_IMAGE

_LOG = re.compile(r"user_logs/std_log(?:_process_(\d+))?\.txt")


class AzuremlPlace(Place):
    """A workspace with a cluster."""

    def __init__(self, learning: LearningPlace) -> None:
        self._learning = learning
        self._cloud = learning.azure.cloud

    @property
    def environment(self) -> Mapping[str, str]:
        return self._learning.azure.environment

    def build_args(self) -> dict[str, Any]:
        place = self._learning.place
        options = {
            "subscription_id": place.subscription_id,
            "resource_group": place.resource_group,
            "workspace_name": place.workspace_name,
            "compute_name": place.compute_name,
        }
        identity = f"sha256:{'1' * 64}"
        return {"image": TINY_IMAGE, "image_identity": identity, "backend": "azureml", "backend_options": options}

    def list_attempts(self, name: str) -> list[Attempt]:
        return [self._read(job) for job in self._list(name)]

    def _read(self, job: Resource) -> Attempt:
        run = self._cloud.jobs.find(job.id)
        assert run is not None, job.name
        properties = job.properties["properties"]
        found = {_LOG.fullmatch(name): content for name, content in run.logs.items()}
        return Attempt(
            name=job.name,
            number=int(properties[ATTEMPT]),
            fingerprint=properties[FINGERPRINT],
            status=run.status if run.has_ended else "",
            logs={int(log[1] or 0): content.decode().splitlines() for log, content in found.items() if log},
        )

    def find_leftovers(self, name: str) -> list[str]:
        going = [job.name for job in self._list(name) if job.properties["status"] not in statuses.ENDED]
        return [f"job {each} goes on" for each in going]

    def strike(self, name: str, kill: Kill) -> bool:
        with self._cloud.lock:
            running = [job for job in self._list(name) if job.properties["status"] == "Running"]
            if not running:
                return False
            interrupt = {"job": self._cloud.jobs.lose, "node": self._cloud.jobs.preempt}[kill.victim]
            interrupt(running[-1].id)
        return True

    def let_go(self, name: str) -> None:
        (job,) = self._list(name)
        self._learning.run_inside(job.name, "touch outputs/go")

    def clean(self, name: str) -> None:
        for job in self._list(name):
            with self._cloud.lock:
                if job.properties["status"] not in (*statuses.ENDED, statuses.FINALIZING):
                    self._cloud.jobs.cancel(job)

    def _list(self, name: str) -> list[Resource]:
        found = [each for each in self._cloud.resources if each.type.endswith("/jobs")]
        return [each for each in found if each.name.startswith(f"{name}-")]
