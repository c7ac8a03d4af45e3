"""The processes of a job, and the variables by which they find one another.

See https://learn.microsoft.com/azure/machine-learning/how-to-train-distributed-gpu. Of Open MPI's many variables those
are set which that page names, with the sizes that go with the ranks.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Process:
    """One process of a job.

    Attributes:
        node: the number of the node that it is on.
        log: what its log is called.
        environment: the variables that tell it who it is.
    """

    node: int
    log: str
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def list_processes(
    distribution: Mapping[str, Any] | None, *, nodes: int, address: str, port: int
) -> tuple[Process, ...]:
    """The processes that a job has.

    Args:
        distribution: the job's; where it has none, there is one process, on the first node. Whether the service starts
            one on each of several nodes then is not documented.
        nodes: how many nodes there are.
        address: where the first node is; here all are on this machine.
        port: a free port on it, and the first of several.
    """
    kind = distribution["distributionType"] if distribution else ""
    if distribution is None:
        return (Process(node=0, log="user_logs/std_log.txt"),)
    if kind == "TensorFlow":
        return _list_tensorflow(distribution, nodes, address, port)
    local = distribution.get("processCountPerInstance") or 1
    build = {"PyTorch": _build_pytorch, "Mpi": _build_mpi}[kind]
    return tuple(
        Process(
            node=rank // local,
            log=name_log(rank, nodes * local),
            environment=build(rank, local, nodes * local, address, port),
        )
        for rank in range(nodes * local)
    )


def name_log(rank: int, count: int, suffix: str = "") -> str:
    """What the log of one of several processes is called; numbers are as long as the longest."""
    return f"user_logs/std_log_process_{rank:0{len(str(count - 1))}}{suffix}.txt"


def _build_pytorch(rank: int, local: int, count: int, address: str, port: int) -> dict[str, str]:
    return {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "NODE_RANK": str(rank // local),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank % local),
    }


def _build_mpi(rank: int, local: int, count: int, address: str, port: int) -> dict[str, str]:
    return {
        "OMPI_COMM_WORLD_SIZE": str(count),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(local),
        "OMPI_COMM_WORLD_RANK": str(rank),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(rank % local),
        "OMPI_COMM_WORLD_NODE_RANK": str(rank % local),
        "AZ_BATCH_MASTER_NODE": f"{address}:{port}",
        "AZ_BATCHAI_MPI_MASTER_NODE": address,
    }


def _list_tensorflow(distribution: Mapping[str, Any], nodes: int, address: str, port: int) -> tuple[Process, ...]:
    """Parameter servers are spread over the nodes as the workers are."""
    workers = distribution.get("workerCount") or nodes
    servers = distribution.get("parameterServerCount") or 0
    ports = [f"{address}:{port + number}" for number in range(workers + servers)]
    cluster = {"worker": ports[:workers]} | ({"ps": ports[workers:]} if servers else {})
    tasks = [("worker", index) for index in range(workers)] + [("ps", index) for index in range(servers)]
    return tuple(
        Process(
            node=index % nodes,
            log=name_log(index, workers, "_ps" if kind == "ps" else ""),
            environment={
                "TF_CONFIG": json.dumps(
                    {"cluster": cluster, "task": {"type": kind, "index": index}, "environment": "cloud"}
                )
            },
        )
        for kind, index in tasks
    )
