"""Jobs without a Docker daemon: what is done with them is up to each test."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.azure import workspaces
from tests.azure.arm_client import Client, Response
from tests.azure.cloud import Cloud
from tests.azure.job_runs import runs, statuses
from tests.azure.job_runs.runs import Run

Body = dict[str, Any]


@pytest.fixture
def body(client: Client, workspace: str) -> Body:
    """The body of a job that is right."""
    client.put(f"{workspace}/environments/shell/versions/1", {"properties": {"image": "debian:bookworm-slim"}})
    client.make(f"{workspace}/computes/cluster", workspaces.build_cluster())
    properties = {
        "jobType": "Command",
        "command": "echo hi",
        "environmentId": f"{workspace}/environments/shell/versions/1",
        "computeId": f"{workspace}/computes/cluster",
    }
    return {"properties": properties}


@pytest.fixture
def run_with(cloud: Cloud) -> Iterator[Callable[[Callable[[Run], None]], None]]:
    """Has jobs done as a function says; in the end they are interrupted."""
    yield cloud.jobs.start
    cloud.jobs.stop()


def walk(cloud: Cloud, run: Run) -> None:
    """Takes a job through all its phases, as if there were nothing to do."""
    try:
        for phase in statuses.PHASES[1:]:
            cloud.jobs.enter(run, phase)
    except runs.Interrupted as interruption:
        if str(interruption) == runs.CANCELED:
            cloud.jobs.end(run, statuses.CANCELED)
        if str(interruption) == runs.LOST:
            cloud.jobs.end(run, statuses.NOT_RESPONDING)
    else:
        cloud.jobs.end(run, statuses.COMPLETED)


@pytest.fixture
def walking(cloud: Cloud, run_with: Callable[[Callable[[Run], None]], None]) -> Cloud:
    """The cloud, in which jobs walk through their phases."""
    run_with(lambda run: walk(cloud, run))
    return cloud


def test_a_job_is_held_in_a_phase(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """It goes on once it is released."""
    walking.jobs.hold(statuses.PREPARING)
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.PREPARING)
    assert client.get(f"{workspace}/jobs/train").properties["status"] == "Preparing"

    walking.jobs.release(statuses.PREPARING)

    assert walking.jobs.wait("train", statuses.COMPLETED).ended is not None


def test_a_job_that_is_held_can_be_canceled(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """The request is accepted, and done in time."""
    walking.jobs.hold(statuses.QUEUED)
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.QUEUED)
    walking.jobs.hold(statuses.CANCEL_REQUESTED)

    assert client.post(f"{workspace}/jobs/train/cancel").status == 202
    assert client.get(f"{workspace}/jobs/train").properties["status"] == "CancelRequested"
    walking.jobs.release(statuses.CANCEL_REQUESTED)

    walking.jobs.wait("train", statuses.CANCELED)
    assert client.post(f"{workspace}/jobs/train/cancel").status == 200


def test_a_job_that_is_finalizing_goes_on(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """To cancel it is an error."""
    walking.jobs.hold(statuses.FINALIZING)
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.FINALIZING)

    answer = client.post(f"{workspace}/jobs/train/cancel")

    assert (answer.status, answer.code) == (400, "UserError")
    assert "Finalizing" in answer.message


def test_nodes_that_are_lost_late_are_lost(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """Even while the job is Finalizing."""
    walking.jobs.hold(statuses.FINALIZING)
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.FINALIZING)

    walking.jobs.lose("train")

    walking.jobs.wait("train", statuses.NOT_RESPONDING)


def test_only_nodes_that_are_there_can_be_taken(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """A test that means another phase, or another cluster, is told."""
    walking.jobs.hold(statuses.QUEUED)
    client.make(f"{workspace}/computes/spot", workspaces.build_cluster(vmPriority="LowPriority"))
    spot = {"properties": {**body["properties"], "computeId": f"{workspace}/computes/spot"}}
    client.put(f"{workspace}/jobs/train", spot)
    client.put(f"{workspace}/jobs/other", body)
    walking.jobs.wait("train", statuses.QUEUED)

    with pytest.raises(AssertionError, match="train is Queued"):
        walking.jobs.preempt("train")
    with pytest.raises(AssertionError, match="nodes of cluster are Dedicated"):
        walking.jobs.preempt("other")


def test_a_wait_ends_with_the_job(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """It tells how the job ended."""
    client.put(f"{workspace}/jobs/train", body)

    with pytest.raises(AssertionError, match="train is Completed, not Failed"):
        walking.jobs.wait("train", statuses.FAILED)


def test_a_mistake_of_the_server_is_no_failure_of_the_job(
    cloud: Cloud,
    client: Client,
    workspace: str,
    body: Body,
    run_with: Callable[[Callable[[Run], None]], None],
) -> None:
    """Whoever waits for the job gets it, and so does the end of the server."""

    def break_down(run: Run) -> None:
        raise ZeroDivisionError(run.job.name)

    run_with(break_down)
    client.put(f"{workspace}/jobs/train", body)

    with pytest.raises(ZeroDivisionError):
        cloud.jobs.wait("train", statuses.COMPLETED)
    assert [type(each) for each in cloud.jobs.failures] == [ZeroDivisionError]
    assert client.get(f"{workspace}/jobs/train").properties["status"] == "Failed"


def test_one_of_two_puts_makes_the_job(walking: Cloud, workspace: str, body: Body, client: Client) -> None:
    """The other finds it, and it runs once."""
    barrier = threading.Barrier(2)

    def put(command: str) -> Response:
        barrier.wait()
        return client.put(f"{workspace}/jobs/train", {"properties": {**body["properties"], "command": command}})

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(put, ["echo 1", "echo 2"]), key=lambda answer: answer.status)

    assert [answer.status for answer in answers] == [201, 400]
    assert answers[1].body["error"]["details"][0]["code"] == "JobPropertyImmutable"
    assert walking.jobs.wait("train", statuses.COMPLETED).number == 1


def test_a_put_of_the_same_again_changes_nothing(walking: Cloud, workspace: str, body: Body, client: Client) -> None:
    """Neither with what was sent, nor with what was read; a retry of the transport is one."""
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.COMPLETED)
    shown = client.get(f"{workspace}/jobs/train").body

    assert client.put(f"{workspace}/jobs/train", body).status == 200
    assert client.put(f"{workspace}/jobs/train", {"properties": shown["properties"]}).status == 200
    assert client.get(f"{workspace}/jobs/train").properties == shown["properties"]


def test_properties_of_a_run_are_added_and_never_changed(client: Client, workspace: str, body: Body) -> None:
    """Those that a PUT leaves out stay."""
    body["properties"]["properties"] = {"fingerprint": "1"}
    client.put(f"{workspace}/jobs/train", body)

    body["properties"]["properties"] = {"attempt": "2"}
    added = client.put(f"{workspace}/jobs/train", body)
    body["properties"]["properties"] = {"fingerprint": "2"}
    changed = client.put(f"{workspace}/jobs/train", body)

    assert added.properties["properties"] == {"fingerprint": "1", "attempt": "2"}
    assert (changed.status, changed.code) == (400, "UserError")


def test_a_job_says_where_it_is_shown(cloud: Cloud, client: Client, workspace: str, body: Body) -> None:
    """And where its files are."""
    properties = client.put(f"{workspace}/jobs/train", body).properties

    assert properties["services"]["Studio"]["endpoint"] == (
        f"https://ml.azure.com/runs/train?wsid={workspace}&tid={cloud.tenant_id}"
    )
    assert properties["outputs"]["default"]["uri"] == (
        "azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.train"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"command": "echo ${{inputs.data}}"}, "${{inputs.data}}"),
        ({"jobType": "Sweep", "objective": {"goal": "Maximize", "primaryMetric": "x"}}, "Sweep"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(
    client: Client, workspace: str, body: Body, change: Body, said: str
) -> None:
    """Before it is submitted."""
    answer = client.put(f"{workspace}/jobs/train", {"properties": {**body["properties"], **change}})

    assert answer.status == 400
    assert said in answer.message


def test_jobs_are_listed(cloud: Cloud, client: Client, workspace: str, body: Body) -> None:
    """The newest first, page by page; by tag, by property, and archived ones on request."""
    for number in range(3):
        body["properties"] |= {"tags": {f"tag{number}": "x"}, "properties": {"attempt": str(number)}}
        client.put(f"{workspace}/jobs/train{number}", body)
    archived = {"properties": {**body["properties"], "isArchived": True}}
    client.put(f"{workspace}/jobs/train2", archived)

    def list_names(query: str = "") -> list[str]:
        return [each["name"] for each in client.get(f"{workspace}/jobs{query}").body["value"]]

    assert list_names() == ["train1", "train0"]
    assert list_names("?listViewType=All") == ["train2", "train1", "train0"]
    assert list_names("?listViewType=ArchivedOnly") == ["train2"]
    assert list_names("?tag=tag1") == ["train1"]
    assert list_names("?properties=attempt%3D0") == ["train0"]
    cloud.page_size = 1
    page = client.get(f"{workspace}/jobs").body
    assert [each["name"] for each in page["value"]] == ["train1"]
    assert page["nextLink"]


def test_only_what_has_ended_is_deleted(walking: Cloud, client: Client, workspace: str, body: Body) -> None:
    """Then run history forgets it as well, and the name is free."""
    walking.jobs.hold(statuses.RUNNING)
    client.put(f"{workspace}/jobs/train", body)
    walking.jobs.wait("train", statuses.RUNNING)
    assert client.delete(f"{workspace}/jobs/train").status == 409

    walking.jobs.release(statuses.RUNNING)
    walking.jobs.wait("train", statuses.COMPLETED)

    assert client.delete(f"{workspace}/jobs/train").status == 202
    walking.operations.end_all()
    assert walking.jobs.find("train") is None
    assert client.put(f"{workspace}/jobs/train", body).status == 201
