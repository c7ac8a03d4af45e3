"""What jobs are made of, as far as it needs neither Docker nor a server."""

from __future__ import annotations

import datetime
import json

import pytest

from tests.azure import workspaces
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.job_runs import commands, data_places, distributions, failures, images, processes
from tests.azure.resources import Resource
from tests.azure.workspaces import Parts

STORE = "azureml://datastores/workspaceblobstore/paths"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python train.py --rate 0.1", "python"),
        ("./train.sh", "./train.sh"),
        ("python a.py && python b.py", "/bin/bash"),
        ("SEED=1 python a.py", "/bin/bash"),
        ("python a.py\npython b.py", "/bin/bash"),
    ],
)
def test_a_failure_names_the_process(command: str, name: str) -> None:
    """The program, or the shell that the command needs."""
    failure = failures.fail_process(command, 3, "user_logs/std_log.txt", b"Traceback\nValueError: x\n")

    assert failure.message == (
        f"Execution failed. User process '{name}' exited with status code 3. Please check log file "
        "'user_logs/std_log.txt' for error details. Error: Traceback\nValueError: x"
    )


def test_a_failure_is_an_error_response() -> None:
    """With whose fault it is, and where it happened."""
    body = failures.fail_machine("A node is gone.").build_body("westeurope", "2026-01-01T00:00:00Z")

    assert (body["error"]["code"], body["error"]["message"]) == (
        "SystemError",
        "AzureMLCompute job failed. A node is gone.",
    )
    assert (body["location"], body["componentName"]) == ("westeurope", "CommonRuntime")


def test_a_plain_job_has_one_process() -> None:
    """It knows nothing of others, and its log has no number."""
    (process,) = distributions.list_processes(None, nodes=1, address="host", port=1)

    assert (process.node, process.log, process.environment) == (0, "user_logs/std_log.txt", {})


def test_processes_of_pytorch_know_their_ranks() -> None:
    """Those of a node one after the other."""
    found = distributions.list_processes(
        {"distributionType": "PyTorch", "processCountPerInstance": 2}, nodes=2, address="host", port=6105
    )

    ranks = [(each.node, each.environment["RANK"], each.environment["LOCAL_RANK"]) for each in found]
    assert ranks == [(0, "0", "0"), (0, "1", "1"), (1, "2", "0"), (1, "3", "1")]
    assert found[3].environment["NODE_RANK"] == "1"
    assert {each.environment["WORLD_SIZE"] for each in found} == {"4"}
    assert {(each.environment["MASTER_ADDR"], each.environment["MASTER_PORT"]) for each in found} == {("host", "6105")}
    assert found[0].log == "user_logs/std_log_process_0.txt"


def test_processes_of_mpi_have_open_mpis_variables() -> None:
    """Logs are numbered with as many digits as the last one needs."""
    found = distributions.list_processes(
        {"distributionType": "Mpi", "processCountPerInstance": 6}, nodes=2, address="host", port=1
    )

    assert found[7].environment["OMPI_COMM_WORLD_RANK"] == "7"
    assert found[7].environment["OMPI_COMM_WORLD_LOCAL_RANK"] == "1"
    assert (found[0].log, found[11].log) == ("user_logs/std_log_process_00.txt", "user_logs/std_log_process_11.txt")


def test_processes_of_tensorflow_know_the_cluster() -> None:
    """Parameter servers have logs of their own."""
    found = distributions.list_processes(
        {"distributionType": "TensorFlow", "workerCount": 2, "parameterServerCount": 1},
        nodes=2,
        address="host",
        port=100,
    )

    assert [(each.node, each.log) for each in found] == [
        (0, "user_logs/std_log_process_0.txt"),
        (1, "user_logs/std_log_process_1.txt"),
        (0, "user_logs/std_log_process_0_ps.txt"),
    ]
    assert json.loads(found[1].environment["TF_CONFIG"]) == {
        "cluster": {"worker": ["host:100", "host:101"], "ps": ["host:102"]},
        "task": {"type": "worker", "index": 1},
        "environment": "cloud",
    }


def test_expressions_stand_for_inputs_and_outputs() -> None:
    """Those that stand for nothing are found."""
    command = "train --data ${{inputs.data}} --rate ${{ inputs.rate }} --to ${{outputs.model}}"

    assert commands.find_unknown(command, {"data": 1}, {}) == ["${{ inputs.rate }}", "${{outputs.model}}"]
    assert commands.expand(command, {"data": "/in", "rate": "0.1"}, {"model": "/out"}) == (
        "train --data /in --rate 0.1 --to /out"
    )


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("debian:bookworm-slim", ("", "debian", "bookworm-slim")),
        ("library/debian", ("", "library/debian", "latest")),
        ("localhost/aml-infra/app:1", ("localhost", "aml-infra/app", "1")),
        ("127.0.0.1:5000/app:1", ("127.0.0.1:5000", "app", "1")),
        ("pets.azurecr.io/a/b:1@sha256:0", ("pets.azurecr.io", "a/b", "sha256:0")),
    ],
)
def test_an_image_is_taken_apart(reference: str, parts: tuple[str, str, str]) -> None:
    """Server, repository, tag or digest."""
    assert images.split(reference) == parts


def test_durations_are_those_of_iso_8601() -> None:
    """Days, hours, minutes, seconds."""
    assert processes.read_duration("P1DT2H3M4.5S") == datetime.timedelta(days=1, hours=2, minutes=3, seconds=4.5)


@pytest.fixture
def pets(cloud: Cloud, client: Client, workspace: str) -> Resource:
    """The workspace, with a data asset in it."""
    client.put(f"{workspace}/data/cats/versions/1", {"properties": {"dataType": "uri_folder", "dataUri": f"{STORE}/c"}})
    found = cloud.resources.get(workspace)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "uri",
    [
        f"{STORE}/c/",
        "azureml:cats:1",
        "azureml:{id}/data/cats/versions/1",
        "{id}/data/cats/versions/1",
        "azureml:/{id}/datastores/workspaceblobstore/paths/c",
        "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/workspaceblobstore/paths/c",
        "https://pets.blob.core.windows.net/{container}/c",
    ],
)
def test_data_has_many_names(cloud: Cloud, pets: Resource, parts: Parts, uri: str) -> None:
    """Datastores short and long, assets by name and id, addresses of blobs: all of them lead to one place."""
    store = cloud.resources.get(f"{pets.id}/datastores/workspaceblobstore")
    assert store is not None
    container = store.properties["containerName"]

    place = data_places.find_place(cloud, pets, uri.format(id=pets.id, container=container))

    assert (place.account.id, place.container, place.path, place.by_key) == (parts.storage, container, "c", False)


@pytest.mark.parametrize(
    "uri", ["azureml:dogs:1", "azureml://datastores/none/paths/c", "https://dogs.blob.core.windows.net/a", "wasbs://a"]
)
def test_what_is_nowhere_is_told(cloud: Cloud, pets: Resource, uri: str) -> None:
    """An asset, a datastore, an account that there is not."""
    with pytest.raises(data_places.NoSuchPlace):
        data_places.find_place(cloud, pets, uri)


def test_a_datastore_with_a_key_is_opened_with_it(client: Client, cloud: Cloud, workspace: str, parts: Parts) -> None:
    """As those of a workspace are whose storage is not opened by identity."""
    other = f"{workspace}2"
    client.make(other, workspaces.build_body(parts, systemDatastoresAuthMode="AccessKey"))
    found = cloud.resources.get(other)
    assert found is not None

    assert data_places.find_place(cloud, found, f"{STORE}/c").by_key
