"""Jobs that really run, on this machine's Docker daemon, in a workspace that opens its storage by identity."""

from __future__ import annotations

import dataclasses
import pathlib
import socket
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests import local_registry
from tests.azure import server, services, workspaces
from tests.azure.arm_client import Client
from tests.azure.cloud import Cloud
from tests.azure.job_runs import machines
from tests.azure.resources import Resource
from tests.azure.workspaces import Parts
from tests.docker_daemon import open_docker

GROUP = "rg-jobs"
SHELL_IMAGE = "debian:bookworm-slim"
PROGRAMS = "/bin/sh /bin/sleep $(ldd /bin/sleep | grep -o '/lib[^ ]*')"
STORE = "azureml://datastores/workspaceblobstore/paths"
READY = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
"""Says that it is ready to be ended, and runs until then."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lab:
    """A workspace with clusters, in which jobs are submitted.

    Attributes:
        workspace: its id.
        parts: what it refers to.
    """

    azure: server.Azure
    client: Client
    workspace: str
    parts: Parts

    @property
    def cloud(self) -> Cloud:
        """The cloud."""
        return self.azure.cloud

    @property
    def account(self) -> Resource:
        """The workspace's storage."""
        return self._get(self.parts.storage)

    def make_cluster(self, name: str, *, most: int = 2, identity: str | None = None, **nodes: Any) -> None:
        """Makes a cluster, with the identity of the workspace unless another is given; an empty one is none."""
        body = workspaces.build_cluster(most=most, **nodes)
        identity = self.parts.identity if identity is None else identity
        if identity:
            body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
        self.client.make(f"{self.workspace}/computes/{name}", body)

    def make_environment(self, name: str, image: str) -> None:
        """Makes an environment that is an image."""
        answer = self.client.put(f"{self.workspace}/environments/{name}/versions/1", {"properties": {"image": image}})
        assert not answer.code, answer.message

    def submit(
        self, name: str, command: str, *, cluster: str = "cluster", environment: str = "shell", **properties: Any
    ) -> None:
        """Submits a job."""
        body = {
            "jobType": "Command",
            "command": command,
            "environmentId": f"{self.workspace}/environments/{environment}/versions/1",
            "computeId": f"{self.workspace}/computes/{cluster}",
            **properties,
        }
        answer = self.client.put(f"{self.workspace}/jobs/{name}", {"properties": body})
        assert answer.status == 201, answer.message

    def write(self, path: str, content: str) -> None:
        """Puts a blob into the workspace's default datastore."""
        store = self._get(f"{self.workspace}/datastores/workspaceblobstore").properties["containerName"]
        assert self.cloud.blobs is not None
        self.cloud.blobs.ensure_container(self.account, store)
        self.cloud.blobs.write(self.account, store, path, content.encode())

    def read(self, path: str, store: str = "workspaceblobstore") -> str:
        """The content of a blob in a datastore."""
        container = self._get(f"{self.workspace}/datastores/{store}").properties["containerName"]
        assert self.cloud.blobs is not None
        return self.cloud.blobs.read(self.account, container, path).decode()

    def read_log(self, job: str, name: str = "user_logs/std_log.txt") -> str:
        """What a job has said."""
        return self.read(f"ExperimentRun/dcid.{job}/{name}", "workspaceartifactstore")

    def run(self, name: str, command: str, **properties: Any) -> str:
        """Submits a job, waits for its good end, and gives its log."""
        self.submit(name, command, **properties)
        self.cloud.jobs.wait(name, "Completed")
        return self.read_log(name)

    def fail(self, name: str, command: str = "echo hi", **properties: Any) -> str:
        """Submits a job, waits for its failure, and gives what is told of it: code and message."""
        self.submit(name, command, **properties)
        error = self.cloud.jobs.wait(name, "Failed").error
        assert error is not None
        return f"{error['error']['code']}: {error['error']['message']}"

    def _get(self, resource_id: str) -> Resource:
        found = self.cloud.resources.get(resource_id)
        assert found is not None, resource_id
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One workspace for all tests of this file, with a cluster of two nodes."""
    with server.open_azure(tmp_path_factory.mktemp("azure")) as azure:
        azure.cloud.registered |= {each.lower() for each in services.list_namespaces()}
        azure.serve_docker()
        yield make_lab(azure)


def make_lab(azure: server.Azure) -> Lab:
    """A workspace in a new group."""
    client = Client(azure.cloud, azure.owner)
    group = f"{azure.cloud.subscription}/resourceGroups/{GROUP}"
    client.make(group, {"location": "westeurope"})
    parts = workspaces.make_parts(azure.cloud, client, group)
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/pets"
    client.make(workspace, workspaces.build_body(parts))
    made = Lab(azure=azure, client=client, workspace=workspace, parts=parts)
    made.make_cluster("cluster")
    made.make_environment("shell", SHELL_IMAGE)
    return made


def test_a_process_gets_what_the_service_gives(lab: Lab) -> None:
    """Its code in a folder to write to, a bash, the job's variables and the service's own."""
    lab.write("code/sub/train.sh", "echo $0 $GREETING $AZUREML_RUN_ID $MLFLOW_RUN_ID $MLFLOW_EXPERIMENT_NAME")
    uri = f"https://pets.blob.core.windows.net/{find_container(lab)}/code"
    lab.client.put(f"{lab.workspace}/codes/code/versions/1", {"properties": {"codeUri": uri}})

    said = lab.run(
        "given",
        "set -o pipefail; sh sub/train.sh; touch new; ls -d outputs logs; echo $MLFLOW_TRACKING_URI",
        codeId=f"{lab.workspace}/codes/code/versions/1",
        environmentVariables={"GREETING": "hello", "MLFLOW_RUN_ID": "mine"},
        experimentName="pets",
    )

    assert said.splitlines() == [
        "sub/train.sh hello given given pets",
        "logs",
        "outputs",
        f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{lab.workspace}",
    ]


def find_container(lab: Lab) -> str:
    """The container of the default datastore."""
    store = lab.cloud.resources.get(f"{lab.workspace}/datastores/workspaceblobstore")
    assert store is not None
    return str(store.properties["containerName"])


def test_run_history_tells_of_a_run(lab: Lab) -> None:
    """Status, times and compute, and its logs by URLs that open them, which the workspace's identity has signed."""
    lab.run("told", "echo out; echo err >&2; echo kept > logs/own.txt")

    with requests.Session() as session:
        session.trust_env = False
        session.proxies, session.verify = {"https": lab.azure.front.proxy_url}, lab.azure.environment["SSL_CERT_FILE"]
        token = lab.cloud.directory.issue(lab.azure.owner, "https://ml.azure.com")
        url = f"https://westeurope.api.azureml.ms/history/v1.0{lab.workspace}/runs/told"
        session.headers["Authorization"] = f"Bearer {token}"
        run, details = session.get(url, timeout=30).json(), session.get(f"{url}/details", timeout=30).json()
        del session.headers["Authorization"]
        logs = {name: session.get(address, timeout=30).text for name, address in details["logFiles"].items()}
        forged = session.get(details["logFiles"]["user_logs/std_log.txt"].replace("sp=r", "sp=rw"), timeout=30)

    assert sorted(logs["user_logs/std_log.txt"].splitlines()) == ["err", "out"]
    assert logs["logs/own.txt"] == "kept\n"
    assert "The image is ready" in logs["system_logs/lifecycler/lifecycler.log"]
    assert forged.status_code == 403
    assert (run["status"], run["target"], run["compute"]["vmSize"]) == ("Completed", "cluster", "STANDARD_NC4AS_T4_V3")
    assert run["createdUtc"] < run["startTimeUtc"] < run["endTimeUtc"]
    assert run["properties"]["_azureml.ClusterName"] == "cluster"
    assert (details["status"], details["error"], details["warnings"]) == ("Completed", None, [])


def test_a_failure_ends_the_other_processes(lab: Lab) -> None:
    """The one that failed first is told of."""
    failure = lab.fail(
        "uneven",
        'if [ "$RANK" = 1 ]; then echo broken >&2; exit 4; fi; while :; do sleep 0.1; done',
        resources={"instanceCount": 2},
        distribution={"distributionType": "PyTorch", "processCountPerInstance": 1},
    )

    assert failure == (
        "UserError: Execution failed. User process '/bin/bash' exited with status code 4. Please check log file "
        "'user_logs/std_log_process_1.txt' for error details. Error: broken"
    )


def test_processes_share_their_node(lab: Lab) -> None:
    """Two nodes with two processes each: files are seen on the same node alone, and all are kept."""
    lab.submit(
        "spread",
        "echo $RANK of $WORLD_SIZE, $LOCAL_RANK on $NODE_RANK at $MASTER_ADDR; touch outputs/$RANK mark-$RANK; "
        "until [ -e mark-$((NODE_RANK * 2)) -a -e mark-$((NODE_RANK * 2 + 1)) ]; do sleep 0.05; done; ls -d mark-*",
        resources={"instanceCount": 2},
        distribution={"distributionType": "PyTorch", "processCountPerInstance": 2},
    )
    run = lab.cloud.jobs.wait("spread", "Completed")

    assert lab.read_log("spread", "user_logs/std_log_process_3.txt").splitlines() == [
        "3 of 4, 1 on 1 at 127.0.0.1",
        "mark-2",
        "mark-3",
    ]
    assert [each for each in sorted(run.logs) if each.startswith("user_logs/")] == [
        f"user_logs/std_log_process_{rank}.txt" for rank in range(4)
    ]
    assert [lab.read_log("spread", f"outputs/{rank}") for rank in range(4)] == [""] * 4


def test_data_comes_and_goes(lab: Lab) -> None:
    """A folder, an asset that is a file, a value; mounted inputs cannot be changed, an output is uploaded."""
    lab.write("data/a/cat.txt", "cat\n")
    lab.write("data/dog.txt", "dog\n")
    asset = {"dataType": "uri_file", "dataUri": f"{STORE}/data/dog.txt"}
    lab.client.put(f"{lab.workspace}/data/dog/versions/1", {"properties": asset})

    said = lab.run(
        "moved",
        "cat ${{inputs.folder}}/a/cat.txt ${{inputs.file}}; echo ${{inputs.rate}} $AZURE_ML_INPUT_rate; "
        "touch ${{inputs.folder}}/x; mkdir ${{outputs.model}}/m; echo best > ${{outputs.model}}/m/best",
        inputs={
            "folder": {"jobInputType": "uri_folder", "uri": f"{STORE}/data"},
            "file": {"jobInputType": "uri_file", "uri": "azureml:dog:1"},
            "rate": {"jobInputType": "literal", "value": "0.1"},
        },
        outputs={"model": {"jobOutputType": "uri_folder"}},
    )

    assert said.startswith("cat\ndog\n0.1 0.1\n")
    assert "Read-only file system" in said
    assert lab.read("azureml/moved/model/m/best") == "best\n"


def test_data_that_is_not_there_is_told(lab: Lab) -> None:
    """As the service does: with the URI and the mount point, not with the reason."""
    uri = f"{STORE}/nothing"

    failure = lab.fail("missing", inputs={"data": {"jobInputType": "uri_folder", "uri": uri}})

    assert failure.startswith(f"ServiceError: Failed to mount URI {uri} at mount point /mnt/azureml/cr/j/")


@pytest.fixture(scope="module")
def powerless(lab: Lab) -> str:
    """A cluster whose identity has no roles; the id of the identity."""
    group = lab.workspace.partition("/providers/")[0]
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/powerless"
    lab.client.make(identity, {"location": "westeurope"})
    lab.make_cluster("powerless", identity=identity)
    return identity


def test_data_needs_a_role(lab: Lab, powerless: str) -> None:
    """The compute's identity reads code and inputs, and writes outputs; without one there is nobody to do it."""
    lab.write("secret/x", "x")
    lab.make_cluster("nobody", identity="")
    uri = f"https://pets.blob.core.windows.net/{find_container(lab)}/secret"
    lab.client.put(f"{lab.workspace}/codes/secret/versions/1", {"properties": {"codeUri": uri}})
    inputs = {"data": {"jobInputType": "uri_folder", "uri": f"{STORE}/secret"}}
    outputs = {"model": {"jobOutputType": "uri_folder"}}

    code = lab.fail("unread", cluster="powerless", codeId=f"{lab.workspace}/codes/secret/versions/1")

    assert "not authorized to perform this operation" in code
    assert "Failed to mount URI" in lab.fail("unread-2", cluster="powerless", inputs=inputs)
    assert "Failed to mount URI" in lab.fail("unwritten", cluster="powerless", outputs=outputs)
    assert "Failed to mount URI" in lab.fail("unread-3", cluster="nobody", inputs=inputs)


def pack_shell() -> bytes:
    """An archive of the least that a job needs, taken out of Debian's image: a shell, and a program that sleeps."""
    docker = open_docker()
    made = docker.create_container(
        SHELL_IMAGE, ["/bin/sh", "-c", f"mkdir /tiny && cp --dereference --parents {PROGRAMS} /tiny"]
    )
    docker.start(made["Id"])
    assert docker.wait(made["Id"])["StatusCode"] == 0
    chunks, _ = docker.get_archive(made["Id"], "/tiny/.")
    archive = b"".join(chunks)
    docker.remove_container(made["Id"])
    return archive


@pytest.fixture(scope="module")
def tiny_image(lab: Lab) -> Iterator[str]:
    """An image with a shell that is no bash, in the container registry, by the name that the daemon pushes it to."""
    group = lab.workspace.partition("/providers/")[0]
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/petsregistry"
    lab.client.make(registry, {"location": "westeurope", "sku": {"name": "Premium"}})
    docker, repository = open_docker(), f"{lab.azure.front.address}/tiny"
    docker.import_image_from_data(pack_shell(), repository=repository, tag="1")
    token = lab.cloud.directory.issue(lab.azure.owner, "https://containerregistry.azure.net")
    account = {"username": "00000000-0000-0000-0000-000000000000", "password": token}
    pushed = list(docker.push(repository, "1", auth_config=account, stream=True, decode=True))
    assert [line for line in pushed if "error" in line] == []
    docker.remove_image(f"{repository}:1", force=True)
    yield f"{repository}:1"
    assert docker.images(name=repository) == []


def test_an_image_is_pulled_by_role(lab: Lab, tiny_image: str, powerless: str) -> None:
    """The compute's identity needs AcrPull; without a bash the command is one for sh."""
    lab.make_environment("tiny", tiny_image)
    refused = lab.fail("unpulled", environment="tiny", cluster="powerless")
    principal = find_principal(lab, powerless)
    registry = (
        f"{lab.workspace.partition('/providers/')[0]}/providers/Microsoft.ContainerRegistry/registries/petsregistry"
    )
    server.assign(lab.cloud, principal, "AcrPull", registry)

    said = lab.run("pulled", "echo $0", environment="tiny", cluster="powerless")

    assert refused.startswith(f"UserError: Failed to pull Docker image {tiny_image}. This error may occur because")
    assert said == "sh\n"


def test_a_registry_elsewhere_needs_a_connection(lab: Lab, tmp_path: pathlib.Path) -> None:
    """The workspace logs in with what the connection says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    docker = open_docker()
    with local_registry.open_registry(tmp_path, "sesame", port) as registry:
        image, login = f"{registry.address}/elsewhere", {"username": local_registry.USER, "password": "sesame"}
        docker.import_image_from_data(pack_shell(), repository=image, tag="1")
        assert [
            line for line in docker.push(image, "1", auth_config=login, stream=True, decode=True) if "error" in line
        ] == []
        docker.remove_image(f"{image}:1")
        lab.make_environment("elsewhere", f"{image}:1")
        refused = lab.fail("unknown", environment="elsewhere")
        connection = {"category": "ContainerRegistry", "authType": "UsernamePassword", "target": registry.address}
        lab.client.put(f"{lab.workspace}/connections/elsewhere", {"properties": {**connection, "credentials": login}})

        said = lab.run("known", "echo $0", environment="elsewhere")

    assert f"Failed to pull Docker image {image}:1." in refused
    assert said == "sh\n"


def find_principal(lab: Lab, identity: str) -> Any:
    """The principal of an identity."""
    found = lab.cloud.resources.get(identity)
    assert found is not None
    return lab.cloud.directory.find_principal(found.properties["principalId"])


@pytest.mark.parametrize(
    "image", ["nobody/nothing:1", "nothing.azurecr.io/app:1", "mcr.microsoft.com/azureml/nothing:1"]
)
def test_an_image_that_is_nowhere_fails_the_job(lab: Lab, image: str) -> None:
    """Neither in the daemon nor in a registry."""
    name = image.partition("/")[0].replace(".", "-")
    lab.make_environment(name, image)

    assert f"Failed to pull Docker image {image}." in lab.fail(f"no-{name}", environment=name)


def test_a_canceled_job_has_time_to_end(lab: Lab) -> None:
    """Its processes are asked first; what it has kept by then is kept."""
    lab.submit("stopped", f"echo half > outputs/half; {READY}")
    lab.cloud.jobs.wait_for_log("stopped", "ready")

    assert lab.client.post(f"{lab.workspace}/jobs/stopped/cancel").status == 202

    lab.cloud.jobs.wait("stopped", "Canceled")
    assert "asked" in lab.read_log("stopped")
    assert lab.read_log("stopped", "outputs/half") == "half\n"


def test_who_does_not_end_is_ended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the grace, whatever it does."""
    monkeypatch.setattr(lab.cloud.jobs, "grace_seconds", 0.1)
    lab.submit("stubborn", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    lab.cloud.jobs.wait_for_log("stubborn", "ready")

    lab.client.post(f"{lab.workspace}/jobs/stubborn/cancel")

    lab.cloud.jobs.wait("stubborn", "Canceled")


def test_a_job_whose_time_is_up_is_canceled(lab: Lab) -> None:
    """By the service, which says so in a warning."""
    lab.submit("late", READY, limits={"jobLimitsType": "Command", "timeout": "PT1H"})
    lab.cloud.jobs.wait_for_log("late", "ready")

    lab.cloud.clock.move(seconds=3601)

    run = lab.cloud.jobs.wait("late", "Canceled")
    assert [each["message"] for each in run.warnings] == ["The job was canceled because it exceeded its timeout."]


def test_a_job_whose_nodes_are_taken_starts_again(lab: Lab) -> None:
    """From nothing, and with an empty log; run history has both starts."""
    lab.make_cluster("spot", vmPriority="LowPriority")
    lab.cloud.jobs.hold("Running")
    lab.submit("twice", "echo ready; ls; touch mark", cluster="spot")
    lab.cloud.jobs.wait_for_log("twice", "ready")

    lab.cloud.jobs.preempt("twice")
    lab.cloud.jobs.release("Running")

    run = lab.cloud.jobs.wait("twice", "Completed")
    assert lab.read_log("twice") == "ready\nlogs\noutputs\n"
    assert run.attempts == 2
    assert run.started is not None
    assert run.last_started is not None
    assert run.started < run.last_started


def test_a_job_whose_nodes_are_lost_does_not_respond(lab: Lab) -> None:
    """Nothing of it is kept but what it said until then; its nodes are free."""
    lab.submit("lost", f"echo half > outputs/half; {READY}")
    lab.cloud.jobs.wait_for_log("lost", "ready")

    lab.cloud.jobs.lose("lost")

    lab.cloud.jobs.wait("lost", "NotResponding")
    assert lab.read_log("lost") == "ready\n"
    assert count_nodes(lab, "cluster") == 0


def count_nodes(lab: Lab, cluster: str) -> int:
    """How many nodes a cluster has."""
    shown = lab.client.get(f"{lab.workspace}/computes/{cluster}").properties
    return int(shown["properties"]["currentNodeCount"])


def test_jobs_wait_for_nodes(lab: Lab) -> None:
    """In the order in which nodes become free; run history says what they wait for."""
    lab.make_cluster("narrow", most=1)
    lab.submit("first", READY, cluster="narrow")
    lab.cloud.jobs.wait_for_log("first", "ready")
    lab.submit("second", "echo hi", cluster="narrow")
    waiting = lab.cloud.jobs.wait("second", "Queued")
    assert count_nodes(lab, "narrow") == 1

    lab.client.post(f"{lab.workspace}/jobs/first/cancel")

    lab.cloud.jobs.wait("second", "Completed")
    assert waiting.attempts == 1


def test_jobs_wait_for_the_quota(lab: Lab) -> None:
    """One that is used up by others is waited for; one that is too small for the job fails it."""
    family = "Standard NCASv3_T4 Family"
    lab.make_cluster("busy", fewest=0, most=1)
    lab.make_cluster("poor", most=2)
    lab.cloud.quotas["westeurope", family] = 4
    lab.submit("rich", READY, cluster="busy")
    lab.cloud.jobs.wait_for_log("rich", "ready")
    lab.submit("waits", "echo hi", cluster="poor")

    failure = lab.fail("never", cluster="poor", resources={"instanceCount": 2})
    lab.cloud.jobs.wait("waits", "Queued")
    del lab.cloud.quotas["westeurope", family]
    lab.cloud.jobs.notify()

    lab.cloud.jobs.wait("waits", "Completed")
    lab.client.post(f"{lab.workspace}/jobs/rich/cancel")
    assert "JobNodeCountExceedsCoreQuota" in failure
    assert "vCPU quota of 4" in failure


def test_more_nodes_than_there_are_fail_the_job(lab: Lab) -> None:
    """Before it waits for them."""
    assert lab.fail("wide", resources={"instanceCount": 3}) == (
        "UserError: Requested 3 nodes but AzureMLCompute cluster only has 2 maximum nodes."
    )


def test_a_job_has_the_identity_of_its_cluster(lab: Lab) -> None:
    """A token for a resource, from an address on its node, for who has the secret."""
    ask = (
        "host=${MSI_ENDPOINT#http://}; path=/${host#*/}; host=${host%%/*}; "
        "get() { exec 3<>/dev/tcp/${host%:*}/${host#*:}; "
        'printf "GET $path?api-version=2017-09-01&resource=https://storage.azure.com&clientid=$1 HTTP/1.0\\r\\n'
        'secret: $2\\r\\n\\r\\n" >&3; cat <&3; }; '
        "get $DEFAULT_IDENTITY_CLIENT_ID $MSI_SECRET; echo; get other $MSI_SECRET; echo; get x wrong"
    )

    said = lab.run("somebody", ask)

    token = said.partition('"access_token": "')[2].partition('"')[0]
    principal = lab.cloud.directory.identify(token, ["https://storage.azure.com"])
    assert principal.object_id == lab.parts.principal.object_id
    assert "No managed identity was found for client id other" in said
    assert "401" in said


def test_a_job_can_be_somebody_else(lab: Lab) -> None:
    """Its own token is no identity; whoever submitted it needs roles, too."""
    inputs = {"data": {"jobInputType": "uri_folder", "uri": f"{STORE}/mine"}}
    lab.write("mine/x", "x\n")

    said = lab.run("nobody", "echo ${MSI_ENDPOINT:-none}", identity={"identityType": "AMLToken"})
    refused = lab.fail("mine", inputs=inputs, identity={"identityType": "UserIdentity"})
    server.assign(lab.cloud, lab.azure.owner, "Storage Blob Data Reader", lab.parts.storage)

    assert said == "none\n"
    assert "Failed to mount URI" in refused
    assert (
        lab.run("mine-2", "cat ${{inputs.data}}/x", inputs=inputs, identity={"identityType": "UserIdentity"}) == "x\n"
    )


def test_what_docker_says_of_a_process_that_cannot_begin_is_in_no_log() -> None:
    """As of one whose machine is lost just then; here it has lost its shell."""
    found = machines.Machines()
    heard: list[tuple[bytes | None, bytes | None]] = []

    def run(machine: machines.Machine, *command: str) -> int | None:
        return machine.run(command, {}, "/", threading.Event(), lambda *said: heard.append(said))

    try:
        machine = found.start(SHELL_IMAGE, {}, job=f"lost-{uuid.uuid4()}", shared_memory="64m")
        before = run(machine, "rm", "/bin/sh")
        after = run(machine, "echo", "begun")
    finally:
        found.close()

    assert (before, after, heard) == (0, None, [])


def test_nothing_is_left_when_the_server_ends(tmp_path: pathlib.Path) -> None:
    """Whatever still ran."""
    with server.open_azure(tmp_path) as azure:
        azure.cloud.registered |= {each.lower() for each in services.list_namespaces()}
        lab = make_lab(azure)
        name = f"left-{uuid.uuid4()}"
        lab.submit(name, READY)
        azure.cloud.jobs.wait_for_log(name, "ready")
        labels = {"label": [f"{machines.LABEL}.job={name}"]}
        assert len(open_docker().containers(filters=labels)) == 1

    assert open_docker().containers(all=True, filters=labels) == []
