"""Hundreds of runs in one stack on Kubernetes: seconds for each, and the plugin's memory.

The API server and its controllers are real, 50 nodes with 400 GPUs are simulated: their pods end well as soon as they
are placed, so that what is measured is what we and Kubernetes add to a training.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import time

from tests.contract import kubernetes_place
from tests.contract.kubernetes_place import KubernetesPlace
from tests.kubernetes import simulation
from tools.bench import bed, errors, figures, memory, project, table

NAME = "kubernetes-scale"
SUMMARY = "500 runs in one stack on 50 simulated GPU nodes, and the plugin's memory, against as many Jobs"

COUNT = 500
NODES = 50
PARALLEL = 64
MOST_MB = 400
_GPU = {"nvidia.com/gpu": "1"}
_KINDS = ("batch/v1/jobs", "v1/configmaps")


def measure(place: bed.Bed) -> list[table.Row]:
    """Both are a mean over many in themselves, and are measured once."""
    with kubernetes_place.open_place(place.folder / "kubernetes") as cluster:
        cluster.cluster.add_simulated_nodes(NODES)
        place.say(NAME, f"{COUNT} runs")
        ours, peak = _measure_ours(place, cluster)
        place.say(NAME, f"{COUNT} Jobs")
        theirs = _measure_reference(cluster)
    return build_rows(ours, theirs, peak)


def build_rows(ours: float, reference: float, peak_bytes: int) -> list[table.Row]:
    """Rows about runs that took ``ours`` seconds in all."""
    megabytes = peak_bytes / 1e6
    what = f"{COUNT} runs on Kubernetes in one stack"
    return [
        table.Row(
            what=f"{what}, time per run / a Job by itself",
            ours=f"{figures.format_seconds(ours / COUNT)} ({figures.format_seconds(ours)} in all)",
            reference=f"{figures.format_seconds(reference / COUNT)} ({figures.format_seconds(reference)} in all)",
            ratio=figures.format_ratio(ours / reference),
        ),
        table.Row(
            what=f"{what}, the plugin's highest memory",
            ours=f"{megabytes:.0f} MB",
            goal=f"< {MOST_MB} MB",
            met=megabytes < MOST_MB,
        ),
    ]


def _measure_ours(place: bed.Bed, cluster: KubernetesPlace) -> tuple[float, int]:
    told = cluster.place
    options = {
        "kubeconfig": str(cluster.cluster.kubeconfig),
        "namespace": told.namespace,
        "claim": told.claim,
        "pull_secret": told.pull_secret,
        "node_selector": json.dumps(simulation.NODE_SELECTOR),
        "tolerations": json.dumps([simulation.TOLERATION]),
    }
    where = {"image": cluster.image, "backend": "kubernetes", "backend_options": options, "gpus": 1}
    made = project.make_runs_project(place, NAME, "true\n", COUNT, **where)
    program = made.start_up("--parallel", str(PARALLEL))
    with memory.watch(program.pid) as peak:
        seconds = program.wait().seconds
    api = cluster.open_api()
    jobs, records = (api.list(kind, "aml-infra.run") for kind in _KINDS)
    ended = sum("record" in each["data"] for each in records)
    if (len(jobs), ended) != (COUNT, COUNT):
        raise errors.BenchError(f"{COUNT} runs were expected; there are {len(jobs)} Jobs and {ended} records")
    if not peak.size:
        raise errors.BenchError("the plugin's memory could not be read")
    cluster.clean()
    return seconds, peak.size


def _measure_reference(cluster: KubernetesPlace) -> float:
    """Seconds until as many plain Jobs have ended, as many of them made at once."""
    api = cluster.open_api()
    # The namespace takes none but restricted pods.
    container = {
        "name": "train",
        "image": cluster.image,
        "command": ["true"],
        "resources": {"limits": _GPU},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "tolerations": [simulation.TOLERATION],
        "nodeSelector": simulation.NODE_SELECTOR,
    }
    began = time.perf_counter()
    names = itertools.count()

    def make(_: int) -> None:
        metadata = {"name": f"plain-{next(names)}", "labels": {"aml-infra.run": "plain"}}
        api.create("batch/v1/jobs", {"metadata": metadata, "spec": {"template": {"spec": pod}}})

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(make, range(COUNT)))
    while sum("completionTime" in each["status"] for each in api.list("batch/v1/jobs", "aml-infra.run=plain")) < COUNT:
        time.sleep(0.5)
    seconds = time.perf_counter() - began
    cluster.clean()
    return seconds
