"""Trainings on Kubernetes through the real engine: the component's objects by the plugin, the runs on real pods."""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.contract import kubernetes_place
from tests.contract.kubernetes_place import KubernetesPlace
from tests.integration.kubernetes_training import KubernetesProject
from tests.integration.projects import interrupt, read_until
from tests.kubernetes_stand_in import installation


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesPlace]:
    """A cluster with a registry, and volumes for claims of the class that tests name."""
    with kubernetes_place.open_place(tmp_path_factory.mktemp("kubernetes") / "place") as made:
        yield made


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the kubernetes plugin."""
    return installation.find_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def make_project(
    tmp_path: pathlib.Path, plugin: pathlib.Path, place: KubernetesPlace
) -> Iterator[Callable[[], KubernetesProject]]:
    """Makes projects; what they have made is gone afterwards."""
    made: list[KubernetesProject] = []

    def make() -> KubernetesProject:
        project = KubernetesProject(tmp_path / f"project{len(made)}", plugin, place)
        project.make_stack()
        project.declare()
        made.append(project)
        return project

    yield make
    for project in made:
        place.remove_namespace(project.namespace)


def test_a_namespace_and_a_run_from_nothing_to_nothing(make_project: Callable[[], KubernetesProject]) -> None:
    """Made, trained, unchanged, changed and explained, and gone without a trace."""
    project = make_project()
    objects = project.place.cluster.objects
    previewed = project.pulumi("preview")
    first = project.up()
    outputs = project.outputs()
    again = project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project.write_script("echo other\n")
    explained = project.pulumi("preview", "--diff")
    second = project.up()
    claimed = objects.list_all("v1", "PersistentVolumeClaim", project.namespace)
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert "train: run" in previewed
    assert first.index("line 1") < first.index("line 2")
    assert outputs["status"] == "Completed"
    assert outputs["outputs_path"].startswith("pvc://")
    assert (outputs["image_digest"], outputs["attempt"]) == (project.place.image.partition("@")[2], 1)
    assert "unchanged" in again
    assert "unchanged" in refreshed
    assert "train.sh changed" in explained
    assert "other" in second
    assert len(claimed) == 1
    assert objects.read("v1", "Namespace", project.namespace) is None


def test_a_finished_run_is_adopted_when_state_and_job_are_gone(make_project: Callable[[], KubernetesProject]) -> None:
    """By a stack in the namespace as it is."""
    project = make_project()
    project.up()
    claim = project.outputs()["outputs_path"].removeprefix("pvc://").partition("/")[0]
    for job in project.list_jobs():
        project.place.cluster.objects.delete("batch/v1", "Job", job, project.namespace)
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    # The namespace and its claim stay, as somebody else's.
    project.lose_state()
    for kind, version in (("NetworkPolicy", "networking.k8s.io/v1"), ("ServiceAccount", "v1"), ("Secret", "v1")):
        for each in project.place.cluster.objects.list_all(version, kind, project.namespace):
            if each["metadata"]["name"] != "default":
                project.place.cluster.objects.delete(version, kind, each["metadata"]["name"], project.namespace)
    project.settings = {"create_namespace": False, "outputs_claim": claim}
    project.declare()
    adopted = project.up()

    assert "adopt: run" in adopted
    assert project.list_jobs() == []


def test_two_workers_with_a_secret_train_together(make_project: Callable[[], KubernetesProject]) -> None:
    """Each line has its worker's rank; the secret is nowhere but in their environment."""
    project = make_project()
    script = 'until getent hosts "$MASTER_ADDR" >/dev/null; do sleep 0.2; done\necho "$RANK of $WORLD_SIZE ${#TOKEN}"\n'
    project.write_script(script)
    project.declare(distribution=2, secrets={"TOKEN": "planted-marker-4711"})

    said = project.up()
    state = project.pulumi("stack", "export")

    assert "[0] 0 of 2 19" in said
    assert "[1] 1 of 2 19" in said
    assert "planted-marker" not in said + state


def test_a_failed_run_fails_the_update_and_the_next_one_tries_again(
    make_project: Callable[[], KubernetesProject],
) -> None:
    """With exit code and log; attempt 2 is a Job of its own."""
    project = make_project()
    project.write_script("echo broken pipe\n[ $AML_INFRA_ATTEMPT = 2 ] || exit 3\n")

    failed = project.up(fails=True)
    succeeded = project.up()

    assert "ended as Failed, exit code 3" in failed
    assert "broken pipe" in failed
    assert "attempt 2, since attempt 1 ended as Failed" in succeeded
    assert project.outputs()["attempt"] == 2


def test_a_killed_update_is_joined_and_trains_once(make_project: Callable[[], KubernetesProject]) -> None:
    """The pod goes on without it, also where it is evicted meanwhile."""
    project = make_project()
    project.write_script("echo begun\nuntil [ -e outputs/go ]; do sleep 0.1; done\necho gone\n")
    process = project.start_up()
    read_until(process, "begun")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    project.pulumi("cancel", "--yes")

    (pod,) = project.list_pods()
    project.place.cluster.evict(project.namespace, pod["metadata"]["name"])
    joining = project.start_up()
    joined = "".join(read_until(joining, "join: "))
    read_until(joining, "begun")
    project.let_go()
    output, _ = joining.communicate(timeout=120)

    assert joining.returncode == 0, joined + output
    assert "gone" in output
    assert len(project.list_jobs()) == 1


def test_destroy_stops_a_run_that_goes_on(make_project: Callable[[], KubernetesProject]) -> None:
    """After Ctrl-C it goes on; nothing of it is left then."""
    project = make_project()
    project.write_script("echo begun\nwhile :; do sleep 0.1; done\n")
    process = project.start_up()
    read_until(process, "begun")
    interrupt(process)
    said, _ = process.communicate(timeout=120)
    going = [pod["status"]["phase"] for pod in project.list_pods()]

    project.pulumi("destroy", "--yes", "--skip-preview")

    assert "goes on; the next `pulumi up` joins it" in said
    assert going == ["Running"]
    assert project.place.cluster.objects.read("v1", "Namespace", project.namespace) is None


def test_a_cluster_that_does_not_answer_changes_nothing(
    make_project: Callable[[], KubernetesProject], place: KubernetesPlace
) -> None:
    """Said with context and address; the state keeps all, and the next `up` has nothing to do."""
    project = make_project()
    project.up()
    before = project.read_run()

    place.cluster.stop_apiserver()
    try:
        refused = project.pulumi("refresh", "--yes", "--skip-preview", fails=True)
    finally:
        place.cluster.start_apiserver()
    after = project.read_run()

    assert "does not answer" in refused or "unreachable" in refused
    assert after == before
    project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
