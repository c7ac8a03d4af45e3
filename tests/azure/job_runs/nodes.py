"""The nodes of clusters: who has how many, and whether there is room for more.

Attached clusters have nodes of their own, of which the service knows nothing: there is always room.
"""

from __future__ import annotations

from typing import Any

from tests.azure.cloud import Cloud
from tests.azure.job_runs import attached_jobs, failures
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import attached, quotas


class Nodes:
    """Nodes by cluster and job. Idle ones go at once, but for the least that a cluster keeps."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._taken: dict[str, dict[str, int]] = {}

    def check(self, cluster: Resource, job: Resource, count: int) -> None:
        """Refuses what the cluster, or the quota, never has room for.

        Raises:
            JobFailure: with the figure that is short.
        """
        if cluster.properties["computeType"] == attached.KIND:
            attached_jobs.check(self._cloud, cluster, job)
            return
        nodes = cluster.properties["properties"]
        most = nodes["scaleSettings"]["maxNodeCount"]
        if count > most:
            raise failures.fail_nodes(count, most)
        cores = _find_size(nodes).cores
        for family, _, limit in self._list_totals(cluster):
            if count * cores > limit:
                raise failures.fail_quota(family, limit, count, count * cores)

    def take(self, cluster: Resource, job: str, count: int) -> str:
        """Gives nodes to a job; says why not, where there is no room now. The cloud's lock must be held.

        How the service words it in run history's ``queueingInfo`` is not documented.
        """
        if cluster.properties["computeType"] == attached.KIND:
            return ""
        nodes = cluster.properties["properties"]
        taken = self._taken.setdefault(cluster.id.lower(), {})
        wanted = sum(taken.values()) + count
        if wanted > nodes["scaleSettings"]["maxNodeCount"]:
            return "The cluster is busy with other jobs."
        new = max(0, wanted - nodes["currentNodeCount"])
        for family, used, limit in self._list_totals(cluster):
            if used + new * _find_size(nodes).cores > limit:
                return f"The quota of {limit} cores of {family} is used up: {used} are in use."
        taken[job] = count
        self._show(cluster)
        return ""

    def give_back(self, cluster: Resource, job: str) -> None:
        """A job needs its nodes no more; likewise."""
        if self._taken.get(cluster.id.lower(), {}).pop(job, None) is not None:
            self._show(cluster)

    def _list_totals(self, cluster: Resource) -> list[tuple[str, int, int]]:
        """The families that count the cluster's cores: name, cores in use, limit."""
        nodes, location = cluster.properties["properties"], cluster.body["location"]
        is_low = nodes["vmPriority"] == "LowPriority"
        names = (quotas.LOW_PRIORITY,) if is_low else (_find_size(nodes).family, quotas.DEDICATED)
        return [
            (
                name,
                quotas.count_cores(self._cloud, location, name, is_low_priority=is_low),
                quotas.find_limit(self._cloud, location, name),
            )
            for name in names
        ]

    def _show(self, cluster: Resource) -> None:
        nodes = cluster.properties["properties"]
        busy = sum(self._taken[cluster.id.lower()].values())
        count = max(busy, nodes["scaleSettings"]["minNodeCount"])
        nodes["currentNodeCount"] = nodes["targetNodeCount"] = count
        nodes["nodeStateCounts"] |= {"runningNodeCount": busy, "idleNodeCount": count - busy}
        nodes["allocationStateTransitionTime"] = self._cloud.clock.stamp()


def _find_size(nodes: dict[str, Any]) -> quotas.Size:
    return quotas.SIZES[str(nodes["vmSize"]).lower()]
