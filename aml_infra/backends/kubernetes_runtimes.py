"""The runtimes of Kubeflow Trainer that a cluster has."""

from __future__ import annotations

from typing import Any

from aml_infra.backends import kubernetes_train_job, kubernetes_workload
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.errors import InvalidInput, Problem

_API = f"/apis/{kubernetes_train_job.VERSION}"
_OF_THE_CLUSTER = f"{_API}/clustertrainingruntimes"


class Runtimes:
    """The runtimes that runs of a namespace can be made with: its own, else those of the cluster.

    Args:
        api: of the namespace.
    """

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    def find(self, name: str) -> dict[str, Any]:
        """The runtime of this name.

        Raises:
            InvalidInput: there is none, or it cannot be used.
            AccessDenied, BackendUnavailable, RequestRefused: see ``kubernetes_api``.
        """
        found = self._api.get(kubernetes_workload.RUNTIMES, name) or self._api.list_at(f"{_OF_THE_CLUSTER}/{name}")
        problems = [self._explain_absence(name)] if found is None else kubernetes_train_job.find_problems(name, found)
        if found is None or problems:
            raise InvalidInput(problems)
        return found

    def find_problems(self, name: str) -> list[Problem]:
        """Why no run can be made with the runtime of this name; the same errors but the first."""
        try:
            self.find(name)
        except InvalidInput as error:
            return list(error.problems)
        return []

    def _explain_absence(self, name: str) -> Problem:
        """Whether the operator is missing, or the runtime."""
        place, path = self._api.place, "compute.runtime"
        if self._api.list_at(_API) is None:
            fix = "install it (https://www.kubeflow.org/docs/components/trainer/operator-guides/installation/)"
            what = f"{place} does not have Kubeflow Trainer ({kubernetes_train_job.VERSION})"
            return Problem(path, f"is {name!r}, and {what}; {fix}, or leave runtime out, which makes plain Jobs")
        listed = (self._api.list_at(_OF_THE_CLUSTER) or {}).get("items") or ()
        names = {each["metadata"]["name"] for each in (*listed, *self._api.list(kubernetes_workload.RUNTIMES))}
        there = f"there are {', '.join(sorted(names))}" if names else "there are none"
        where = f"neither namespace {self._api.namespace!r} nor the cluster has such a runtime"
        return Problem(path, f"is {name!r}, and {where} ({place}); {there}; choose one, or make it")
