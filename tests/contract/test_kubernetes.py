"""What is particular to runs on Kubernetes, and what goes wrong there; on real pods."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import pathlib
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra import source
from aml_infra.backends import kubernetes_api, kubernetes_follower, kubernetes_watch
from aml_infra.backends.base import Status
from aml_infra.backends.kubernetes import KubernetesBackend
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.backends.kubernetes_images import Images
from aml_infra.backends.kubernetes_layout import RUN_LABEL
from aml_infra.errors import AccessDenied, InvalidInput, RunConflict, RunNotSubmitted
from aml_infra.image_layers import Layered
from aml_infra.spec import Demand, Resources, RunInput
from tests.api_faults import Fault
from tests.contract.conftest import Scene, Stage
from tests.contract.kubernetes_place import NAMESPACE

LASTING = "echo here\nuntil [ -e outputs/go ]; do sleep 0.1; done\necho gone\n"


def find_pods(scene: Scene) -> list[dict[str, Any]]:
    """The pods of a run."""
    assert scene.cluster is not None
    return scene.cluster.cluster.objects.list_all("v1", "Pod", NAMESPACE, labels=f"aml-infra.run={scene.spec.run_id}")


def let_go(scene: Scene) -> None:
    """Lets a run end that lasts until a file is there."""
    assert scene.cluster is not None
    (scene.cluster.kept / f"runs/{scene.spec.run_id}/0/outputs/go").touch()


def delete_job(scene: Scene) -> None:
    """Deletes the Job of a run, as a person does, and waits until it is gone."""
    assert scene.cluster is not None
    objects = scene.cluster.cluster.objects
    objects.delete("batch/v1", "Job", scene.spec.run_id, NAMESPACE)
    objects.wait_gone("batch/v1", "Job", scene.spec.run_id, namespace=NAMESPACE)


def test_an_evicted_run_is_started_again_and_ends_well(kubernetes_stage: Stage) -> None:
    """By the cluster itself: what is printed then is part of the log, and the user is told."""
    scene = kubernetes_stage()
    assert scene.cluster is not None
    scene.write_script(LASTING)
    news: list[str] = []
    lines = scene.backend.follow(scene.submit(), news.append)
    first = next(lines)
    (pod,) = find_pods(scene)

    scene.cluster.cluster.evict(NAMESPACE, pod["metadata"]["name"])
    second = next(lines)
    let_go(scene)

    assert (first, second, list(lines)) == ("here", "here", ["gone"])
    assert scene.describe().status is Status.COMPLETED
    assert [each for each in news if "is running again, as its machine was taken away" in each]


def test_workers_of_which_one_is_evicted_end(kubernetes_stage: Stage) -> None:
    """One alone cannot come back into a training of several; another attempt may succeed."""
    scene = kubernetes_stage(workers=2, lasting=True)
    assert scene.cluster is not None
    lines = scene.backend.follow(scene.submit())
    assert {next(lines) for _ in range(4)} == {"[0] one", "[0] two", "[1] one", "[1] two"}
    pod = find_pods(scene)[1]

    scene.cluster.cluster.evict(NAMESPACE, pod["metadata"]["name"])

    assert list(lines) == []
    state = scene.describe()
    assert state.status is Status.NOT_RESPONDING
    assert "its machine was taken away" in state.reason


def test_workers_find_one_another_by_name(kubernetes_stage: Stage) -> None:
    """The address of the first is a name that each of them can look up."""
    scene = kubernetes_stage(workers=2)
    scene.write_script(
        'until getent hosts "$MASTER_ADDR" >/dev/null; do sleep 0.2; done\necho "$RANK of $WORLD_SIZE"\n'
    )

    assert sorted(scene.run_to_end()) == ["[0] 0 of 2", "[1] 1 of 2"]


def test_a_finished_run_does_not_depend_on_its_job(kubernetes_stage: Stage) -> None:
    """Deleted before anybody has looked, it is known to have completed, and is collected whole."""
    scene = kubernetes_stage()
    scene.run_to_end()

    delete_job(scene)
    again = scene.open_another()
    state = again.describe(scene.spec.run_id)

    assert state is not None
    assert (state.status, state.exit_code) == (Status.COMPLETED, 0)
    record = again.collect(state)
    assert scene.read_log(record) == "one\ntwo\n"
    assert list(again.follow(state)) == ["one", "two"]


def test_a_job_that_is_deleted_while_it_runs_ends_the_run(kubernetes_stage: Stage) -> None:
    """Whoever did that meant it: nothing starts it again but another attempt."""
    scene = kubernetes_stage(lasting=True)
    lines = scene.backend.follow(scene.submit())
    first = [next(lines), next(lines)]

    delete_job(scene)

    assert (first, list(lines)) == (["one", "two"], [])
    state = scene.describe()
    assert (state.status, state.reason) == (Status.CANCELED, "its Job was deleted before it had ended")


def test_a_run_whose_submitter_died_is_started_by_whoever_follows(
    kubernetes_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ConfigMap says all that there is to start; its secrets are there too."""
    scene = kubernetes_stage(secrets={"TOKEN": "planted-marker"})
    scene.write_script('[ "$TOKEN" = planted-marker ] && echo known\n')
    scene.take_snapshot()

    def die(self: KubernetesBackend, record: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(KubernetesBackend, "_start", die)
        with pytest.raises(KeyboardInterrupt):
            scene.submit()
    waiting = scene.describe()

    assert waiting.status is Status.QUEUED
    assert list(scene.open_another().follow(waiting)) == ["known"]
    assert scene.describe().status is Status.COMPLETED


def test_a_secret_reaches_the_command_and_nothing_else(kubernetes_stage: Stage) -> None:
    """It is in one Secret, which goes when the run has ended."""
    scene = kubernetes_stage(secrets={"TOKEN": "planted-$(marker)"})
    assert scene.cluster is not None
    scene.write_script('echo "${#TOKEN}"\n')
    api = scene.cluster.open_api()

    lines = scene.run_to_end()
    kinds = ("v1/configmaps", "batch/v1/jobs", "v1/pods", "v1/events")
    shown = json.dumps([api.list(kind) for kind in kinds])
    held = api.list("v1/secrets", f"aml-infra.run={scene.spec.run_id}")
    record = scene.backend.collect(scene.describe())

    assert lines == [str(len("planted-$(marker)"))]
    assert len(held) == 1
    assert held[0]["metadata"]["ownerReferences"][0]["kind"] == "Job"
    assert api.list("v1/secrets", f"aml-infra.run={scene.spec.run_id}") == []
    assert "planted" not in shown + str(record)


def test_an_image_that_cannot_be_pulled_fails_the_run_with_the_reason(
    kubernetes_stage: Stage, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the stated wait, with the fix, which the user has heard meanwhile."""
    scene = kubernetes_stage()
    assert scene.cluster is not None
    scene.write_script("echo never\n")
    news: list[str] = []
    # Whoever submits may pull and push, and pods may not.
    monkeypatch.setenv("DOCKER_CONFIG", str(scene.cluster.write_docker_config(tmp_path)))
    place = dataclasses.replace(scene.cluster.place, pull_secret="")
    backend = KubernetesBackend(scene.cluster.open_api(), place, pending_minutes=0.05)
    scene.submit_through(backend)

    lines = list(backend.follow(scene.describe(), news.append))
    state = scene.describe()

    assert lines == []
    assert state.status is Status.FAILED
    assert state.reason.startswith("it could not start for 0.05 minutes, its pending_minutes: ")
    assert "they need a login there, which KubernetesClusterArgs.registry gives" in state.reason
    assert [each for each in news if "waits: " in each]


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("registry.invalid", "server misbehaving; their DNS does not know it"),
        ("127.0.0.1:1", "connection refused; nothing answers them there"),
        ("{apiserver}", "x509: certificate signed by unknown authority; they do not trust its certificate"),
    ],
)
def test_a_registry_that_nodes_cannot_use_is_named(
    kubernetes_stage: Stage, server: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the node's reason and the fix, and long before the stated wait is over: waiting mends none of it."""
    monkeypatch.setattr(kubernetes_follower, "UNREACHABLE_SECONDS", 1.0)
    scene = kubernetes_stage(triggers={"server": server})
    assert scene.cluster is not None
    # What speaks TLS there has a certificate of an authority that only this cluster knows.
    server = server.format(apiserver=f"{scene.cluster.cluster.address}:6443")
    pushed = Layered(reference=f"{server}/team/base@{scene.cluster.image.partition('@')[2]}", base="sha256:1")
    monkeypatch.setattr(Images, "put_source", lambda *_: pushed)
    news: list[str] = []

    lines = list(scene.backend.follow(scene.submit(), news.append))
    state = scene.describe()

    assert (lines, state.status) == ([], Status.FAILED)
    assert state.reason.startswith(f"nodes cannot pull from registry {server!r}: ")
    assert told in state.reason
    assert [each for each in news if f"waits: nodes cannot pull from registry {server!r}" in each]


def test_a_run_that_no_node_takes_says_why(kubernetes_stage: Stage) -> None:
    """Before it is submitted, where the nodes can be seen; else when its pod cannot be placed."""
    scene = kubernetes_stage(resources=Resources(gpus=1))
    assert scene.cluster is not None
    backend = KubernetesBackend(scene.cluster.open_api(), scene.cluster.place, pending_minutes=0.02)
    (problem,) = backend.find_problems(Demand(resources=Resources(gpus=1)))
    scene.submit_through(backend)

    lines = list(backend.follow(scene.describe()))

    assert str(problem).startswith("gpus: is 1; the largest node has 0; ask for at most that many")
    assert lines == []
    assert "Insufficient nvidia.com/gpu" in scene.describe().reason


def test_gpus_that_a_node_has_are_given(kubernetes_stage: Stage) -> None:
    """A pod that asks for them is placed."""
    scene = kubernetes_stage(resources=Resources(gpus=2, cpus=0.5, memory_gb=0.25))
    assert scene.cluster is not None
    scene.cluster.cluster.give_gpus("node1", 8)

    assert scene.backend.find_problems(Demand(resources=Resources(gpus=8))) == []
    assert scene.run_to_end() == ["one", "two"]


def test_a_quota_that_is_used_up_is_told(kubernetes_stage: Stage) -> None:
    """In the words of the Job's events, as there is no pod to ask."""
    scene = kubernetes_stage(resources=Resources(cpus=2, memory_gb=0.1))
    assert scene.cluster is not None
    objects = scene.cluster.cluster.objects
    quota = {"metadata": {"name": "few", "namespace": NAMESPACE}, "spec": {"hard": {"requests.cpu": "1"}}}
    objects.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    objects.wait_for(
        "v1", "ResourceQuota", "few", lambda found: found.get("status", {}).get("hard"), namespace=NAMESPACE
    )
    try:
        backend = KubernetesBackend(scene.cluster.open_api(), scene.cluster.place, pending_minutes=0.05)
        scene.submit_through(backend)
        list(backend.follow(scene.describe()))
    finally:
        objects.delete("v1", "ResourceQuota", "few", NAMESPACE)

    assert "exceeded quota: few" in scene.describe().reason


def test_data_is_in_the_image_or_mounted(kubernetes_stage: Stage, tmp_path: pathlib.Path) -> None:
    """Of this machine, a folder and a file; and what another run has written to the volume."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat.txt").write_text("cat\n")
    (tmp_path / "labels.csv").write_text("labels\n")
    first = kubernetes_stage()
    first.run_to_end()
    written = first.backend.collect(first.describe()).outputs_path
    inputs = {
        name: RunInput(path=str(path), version=source.take_data_snapshot(path).digest)
        for name, path in (("images", tmp_path / "images"), ("labels", tmp_path / "labels.csv"))
    }
    inputs["former"] = RunInput(path=written, version="1")
    command = ("sh", "train.sh", *(f"${{{{inputs.{name}}}}}" for name in ("images", "labels", "former")))
    scene = kubernetes_stage(inputs=inputs, command=command)
    scene.write_script('cat "$1/cat.txt" "$2" "$3/result.txt"\ntouch "$3/x" 2>/dev/null || echo read-only\n')

    lines = scene.run_to_end()

    assert (lines, scene.describe().reason) == (["cat", "labels", "content", "read-only"], "")


def test_source_that_is_there_is_not_sent_again(kubernetes_stage: Stage) -> None:
    """Executable files and links are as they were; another run of the same source pushes nothing."""
    scene = kubernetes_stage()
    scene.write_script("./tool.sh\nreadlink link\n")
    (scene.source / "tool.sh").write_text("#!/bin/sh\necho tool\n")
    (scene.source / "tool.sh").chmod(0o755)
    (scene.source / "link").symlink_to("tool.sh")
    scene.take_snapshot()
    assert scene.cluster is not None
    before = scene.cluster.count_blobs()
    lines = scene.run_to_end()
    pushed = scene.cluster.count_blobs() - before
    again = dataclasses.replace(scene.spec, triggers={"again": "1"})

    scene.open_another().submit(again, 1, scene.snapshot)

    assert lines == ["tool", "tool.sh"]
    # A layer, a configuration, a manifest.
    assert pushed == 3
    assert scene.cluster.count_blobs() - before == pushed


def test_an_api_server_that_is_away_for_a_while_costs_no_line(
    kubernetes_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command goes on; what it printed meanwhile is read when the server is back."""
    monkeypatch.setattr(kubernetes_api, "RETRIES", 1)
    scene = kubernetes_stage()
    assert scene.cluster is not None
    cluster = scene.cluster.cluster
    scene.write_script("for each in 1 2 3 4 5 6 7 8 9; do echo $each; sleep 1; done\n")
    lines = scene.backend.follow(scene.submit())
    first = next(lines)

    cluster.stop_apiserver()
    cluster.start_apiserver()

    assert [first, *lines] == list("123456789")
    assert scene.describe().status is Status.COMPLETED


def test_a_watch_that_was_asked_for_twice_is_a_watch(kubernetes_stage: Stage) -> None:
    """It shows what happens as it does so, and not when the server ends it."""
    scene = kubernetes_stage()
    fault = kubernetes_stage.open_faults(scene).add(Fault("reset", "watch=true", "GET", times=2))

    lines = scene.run_to_end()

    assert (lines, fault.hits) == (["one", "two"], 2)
    assert scene.describe().status is Status.COMPLETED


@pytest.mark.parametrize("kind", ["secrets", "configmaps", "jobs", "services", "pods"])
def test_what_was_made_without_an_answer_is_taken_for_ours(kubernetes_stage: Stage, kind: str) -> None:
    """The client asks again, and hears that there is one."""
    scene = kubernetes_stage(secrets={"TOKEN": "planted"}, workers=2)
    fault = kubernetes_stage.open_faults(scene).add(Fault("answer lost", f"/{kind}$", "POST"))

    lines = scene.run_to_end()
    record = scene.backend.collect(scene.describe())

    assert (sorted(lines), fault.hits) == (["[0] one", "[0] two", "[1] one", "[1] two"], 1)
    assert (record.state.status, record.state.attempt) == (Status.COMPLETED, 1)


def test_whoever_may_not_is_told_what_and_where(kubernetes_stage: Stage) -> None:
    """With the cluster's name and the right that is missing; nothing is concluded from it."""
    scene = kubernetes_stage()
    assert scene.cluster is not None
    api = scene.cluster.open_api(scene.cluster.cluster.write_kubeconfig("nobody"))
    backend = KubernetesBackend(api, scene.cluster.place)

    with pytest.raises(
        AccessDenied, match=r'(?s)context .*nobody.*cannot list resource "configmaps".*docs/kubernetes.md'
    ):
        backend.describe(scene.spec.run_id)
    with pytest.raises((AccessDenied, RunNotSubmitted)):
        backend.submit(scene.spec, 1, scene.snapshot)
    (problem,) = backend.find_problems(Demand())
    assert problem.path == "compute"
    assert scene.backend.describe(scene.spec.run_id) is None


def test_whoever_may_not_read_logs_is_told(kubernetes_stage: Stage) -> None:
    """The run goes on, and can be followed by others; nothing is waited for that will not come."""
    scene = kubernetes_stage(lasting=True)
    assert scene.cluster is not None
    state = scene.submit()
    user = f"user-{uuid.uuid4().hex[:8]}"
    resources = {"": ["configmaps", "pods", "events"], "batch": ["jobs"]}
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": ["*"]} for group, kinds in resources.items()]
    objects = scene.cluster.cluster.objects
    metadata = {"name": user, "namespace": NAMESPACE}
    version = "rbac.authorization.k8s.io"
    objects.apply({"apiVersion": f"{version}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
    binding = {
        "roleRef": {"apiGroup": version, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": version, "kind": "User", "name": user}],
    }
    objects.apply({"apiVersion": f"{version}/v1", "kind": "RoleBinding", "metadata": metadata, **binding})
    api = scene.cluster.open_api(scene.cluster.cluster.write_kubeconfig(user))

    with pytest.raises(AccessDenied, match="pods/exec"):
        list(KubernetesBackend(api, scene.cluster.place).follow(state))

    assert scene.describe().status is Status.RUNNING


def test_a_server_that_does_not_answer_is_named(
    kubernetes_stage: Stage, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the context, the address, and what to look at."""
    monkeypatch.setattr(kubernetes_api, "RETRIES", 0)
    scene = kubernetes_stage()
    assert scene.cluster is not None
    path = tmp_path / "kubeconfig"
    text = scene.cluster.cluster.kubeconfig.read_text().replace(":6443", ":1")
    path.write_text(text)
    backend = KubernetesBackend(scene.cluster.open_api(path), scene.cluster.place)

    (problem,) = backend.find_problems(Demand())

    assert problem.path == "compute"
    assert "of context 'tests' at" in problem.message
    assert "kubectl cluster-info" in problem.message


def test_a_name_that_somebody_else_has_is_left_alone(kubernetes_stage: Stage) -> None:
    """It is neither joined nor changed; the message says what to do."""
    scene = kubernetes_stage()
    assert scene.cluster is not None
    api = scene.cluster.open_api()
    api.create("v1/configmaps", {"metadata": {"name": scene.spec.run_id}, "data": {"theirs": "1"}})

    try:
        with pytest.raises(RunConflict, match="rename the job"):
            scene.backend.submit(scene.spec, 1, scene.snapshot)
        found = api.get("v1/configmaps", scene.spec.run_id)
    finally:
        api.delete("v1/configmaps", scene.spec.run_id)

    assert found is not None
    assert found["data"] == {"theirs": "1"}


def test_an_image_is_identified_by_its_digest_or_its_registry(kubernetes_stage: Stage) -> None:
    """A tag means what the registry says; one that is not there is named."""
    scene = kubernetes_stage()
    assert scene.cluster is not None
    server = scene.cluster.registry.address
    digest = scene.cluster.image.partition("@")[2]

    assert scene.backend.identify_image(scene.cluster.image) == digest
    assert scene.backend.identify_image(f"{server}/base:1") == digest
    with pytest.raises(InvalidInput, match="base:2"):
        scene.backend.identify_image(f"{server}/base:2")


def test_one_watch_serves_all_who_follow(kubernetes_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of Jobs and one of pods, however many runs there are."""
    scene = kubernetes_stage()
    others = [dataclasses.replace(scene.spec, triggers={"n": str(number)}) for number in range(4)]
    for each in others:
        scene.backend.submit(each, 1, scene.snapshot)
    states = [state for each in others if (state := scene.backend.describe(each.run_id)) is not None]
    watched: list[str] = []
    api, watch = scene.backend._api, KubernetesApi.watch  # type: ignore[attr-defined]

    def note(self: KubernetesApi, kind: str, selector: str, version: str) -> Iterator[dict[str, Any]]:
        # Another backend's watch may be about to end.
        if self is api and selector == RUN_LABEL:
            watched.append(kind)
        return watch(self, kind, selector, version)

    monkeypatch.setattr(KubernetesApi, "watch", note)
    with concurrent.futures.ThreadPoolExecutor(len(states)) as pool:
        logs = list(pool.map(lambda state: list(scene.backend.follow(state)), states))

    assert logs == [["one", "two"]] * 4
    assert sorted(watched) == sorted(kubernetes_watch.KINDS)
