"""What is particular to the azureml backend, on the tests' Azure, whose jobs run in this machine's Docker."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aml_infra import azure_client, progress, source
from aml_infra.backends import azureml, azureml_request, azureml_service, azureml_upload
from aml_infra.backends.base import AlreadySubmitted, Status
from aml_infra.errors import BackendUnavailable, InvalidInput, NotReadyYet, RunConflict, RunNotSubmitted
from aml_infra.spec import Demand, RunInput, RunOutput
from tests.api_faults import Fault
from tests.azure.resources import Resource
from tests.azure.services.machine_learning import quotas
from tests.contract.conftest import Scene, Stage
from tests.contract.learning_place import PYTHON_IMAGE

EVERYWHERE = r"(.*(azure\.com|windows\.net|azureml\.ms))?"
BLOBS = r".*\.blob\.core\.windows\.net"
MEBIBYTE = 2**20


@pytest.fixture(autouse=True)
def _few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients' own retries take a minute; ours are what is looked at."""
    monkeypatch.setattr(azure_client, "RETRIES", 1)


@contextlib.contextmanager
def fail(stage: Stage, *faults: Fault) -> Iterator[list[Fault]]:
    """Has these faults come while the block lasts; each must have."""
    assert stage.learning is not None
    known = stage.learning.azure.cloud.faults
    yield [known.add(fault) for fault in faults]
    known.clear()
    assert all(fault.hits for fault in faults), [fault for fault in faults if not fault.hits]


def count_jobs(scene: Scene) -> int:
    """How many jobs there are for the run, whatever their names."""
    assert scene.learning is not None
    found = [each for each in scene.learning.azure.cloud.resources if each.type.endswith("/jobs")]
    return len([each for each in found if each.properties["properties"].get(azureml_request.RUN) == scene.spec.run_id])


def count_uploads(scene: Scene) -> int:
    """How many blobs, or blocks of them, were sent into the workspace's default datastore."""
    assert scene.learning is not None
    return len(
        [
            call
            for call in scene.learning.azure.cloud.calls
            if call.method == "PUT" and "/aml-infra/source/" in call.path and call.host.endswith(".windows.net")
        ]
    )


def test_an_answer_that_was_lost_makes_no_second_run(azureml_stage: Stage) -> None:
    """The client of Azure sends it again: what is there is ours, and no other's."""
    scene = azureml_stage()

    with fail(azureml_stage, Fault("answer lost", "/jobs/", "PUT")):
        scene.submit()

    assert scene.follow() == ["one", "two"]
    assert count_jobs(scene) == 1


def test_a_run_whose_submitter_heard_nothing_is_joined(azureml_stage: Stage) -> None:
    """Every answer was lost: the next client finds the run, and there is one."""
    scene = azureml_stage()

    with fail(azureml_stage, Fault("answer lost", "/jobs/", "PUT", times=99)):
        with pytest.raises(BackendUnavailable):
            scene.submit()
        with pytest.raises(AlreadySubmitted):
            scene.open_another().submit(scene.spec, 1, scene.snapshot)

    assert scene.follow() == ["one", "two"]
    assert (scene.describe().status, count_jobs(scene)) == (Status.COMPLETED, 1)


def test_an_answer_that_was_lost_fails_no_destroy(azureml_stage: Stage) -> None:
    """The cancellation and the archiving are sent again."""
    scene = azureml_stage(lasting=True)
    next(scene.backend.follow(scene.submit()))

    archived = Fault("answer lost", "/runs/", "PATCH", host=".*")
    with fail(azureml_stage, Fault("answer lost", "/cancel$", "POST"), archived):
        scene.backend.cancel(scene.spec.run_id)
        scene.backend.remove(scene.spec.run_id)

    assert scene.describe().status is Status.CANCELED


def test_a_submit_that_fails_on_its_way_leaves_nothing(azureml_stage: Stage) -> None:
    """At each step before the job there is no run; the next client submits it."""
    scene = azureml_stage(lines=["of its own"])
    steps = (
        Fault("status", "/source.tar.gz$", "PUT", status=500, times=99, host=BLOBS),
        Fault("reset", "/codes/", "PUT", times=99),
        Fault("status", "/runs/", "PUT", status=503, times=99, host=BLOBS),
        Fault("status", "/jobs/", "PUT", status=500, times=99),
    )

    for step in steps:
        with fail(azureml_stage, step), pytest.raises(BackendUnavailable):
            scene.submit()
        assert scene.backend.describe(scene.spec.run_id) is None

    assert scene.run_to_end() == ["of its own"]
    assert count_jobs(scene) == 1


def test_an_answer_of_a_moment_before_is_not_absence(azureml_stage: Stage) -> None:
    """What was just submitted is there."""
    scene = azureml_stage()

    with fail(azureml_stage, Fault("stale read", "/jobs/", "GET", times=3, skip=1)):
        state = scene.submit()

    assert state.attempt == 1
    assert scene.follow() == ["one", "two"]


def test_a_storm_of_refusals_is_waited_out(azureml_stage: Stage) -> None:
    """Of the service and of its storage, again and again, while the log is followed."""
    scene = azureml_stage(lines=[str(number) for number in range(50)])
    state = scene.submit()
    storm = [
        Fault("status", status=429, code="TooManyRequests", retry_after=0, times=10, host=host) for host in ("", BLOBS)
    ]

    with fail(azureml_stage, *storm):
        lines = list(scene.backend.follow(state))

    assert lines == [str(number) for number in range(50)]
    assert scene.describe().status is Status.COMPLETED


def test_a_workspace_that_is_away_for_a_while_costs_no_line(azureml_stage: Stage) -> None:
    """Nothing of Azure can be reached in the middle of the log; the job goes on."""
    scene = azureml_stage(lasting=True)
    scene.write_script("echo one\nuntil [ -e outputs/go ]; do sleep 0.1; done\necho two\n")
    lines = scene.backend.follow(scene.submit())
    assert next(lines) == "one"

    with fail(azureml_stage, Fault("reset", times=10_000, host=EVERYWHERE)) as (fault,):
        following = threading.Thread(target=lambda: rest.extend(lines))
        rest: list[str] = []
        following.start()
        let_go(scene)
        while fault.hits < 5:
            following.join(0.1)
    following.join()

    assert rest == ["two"]
    assert scene.describe().status is Status.COMPLETED


def test_a_workspace_that_stays_away_is_no_end(azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Following gives up and says so; the run goes on, and is followed from its first line later."""
    monkeypatch.setattr(azureml, "RECONNECT_SECONDS", 0.5)
    scene = azureml_stage()
    state = scene.submit()

    with fail(azureml_stage, Fault("reset", times=10_000, host=EVERYWHERE)), pytest.raises(BackendUnavailable):
        list(scene.backend.follow(state))

    assert scene.follow() == ["one", "two"]
    assert (scene.describe().status, count_jobs(scene)) == (Status.COMPLETED, 1)


def test_a_token_that_ends_in_the_middle_of_a_log_is_renewed(
    azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to log in again."""
    scene = azureml_stage()
    assert scene.learning is not None
    monkeypatch.setattr(scene.learning.azure.cloud.directory, "token_seconds", 2)
    scene.write_script("for each in 1 2 3 4 5 6; do echo $each; sleep 1; done\n")

    assert scene.run_to_end() == ["1", "2", "3", "4", "5", "6"]
    assert scene.describe().status is Status.COMPLETED


def test_machines_that_are_taken_away_come_back(azureml_stage: Stage) -> None:
    """The service starts the job again by itself: what is printed then is part of the log, and the user is told."""
    scene = azureml_stage(lasting=True)
    assert scene.learning is not None
    jobs = scene.learning.azure.cloud.jobs
    scene.write_script("echo here\nuntil [ -e outputs/go ]; do sleep 0.1; done\n")
    news: list[str] = []
    lines = scene.backend.follow(scene.submit(), news.append)
    first = next(lines)

    jobs.hold("Queued")
    jobs.preempt(scene.spec.run_id)
    jobs.wait(scene.spec.run_id, "Queued")
    rest: list[str] = []

    def follow() -> None:
        for line in lines:
            rest.append(line)  # noqa: PERF402 (as it comes)

    following = threading.Thread(target=follow)
    following.start()
    while not any("taken away" in each for each in news):
        following.join(0.05)
    jobs.release("Queued")
    while not rest:
        assert following.is_alive(), news
        following.join(0.05)
    let_go(scene)
    following.join()

    assert (first, rest) == ("here", ["here"])
    assert scene.describe().status is Status.COMPLETED
    assert [each for each in news if "this will be start 2" in each]


def test_what_the_service_does_is_told(azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each phase; and while it lasts, what is waited for."""
    monkeypatch.setattr(azureml, "NEWS_SECONDS", 0.3)
    scene = azureml_stage()
    assert scene.learning is not None
    jobs = scene.learning.azure.cloud.jobs
    jobs.hold("Queued")
    news: list[str] = []

    def tell(text: str) -> None:
        news.append(text)
        if "still" in text:
            jobs.release("Queued")

    lines = list(scene.backend.follow(scene.submit(), tell))

    assert lines == ["one", "two"]
    assert any(each == f"run {scene.spec.run_id} waits for a node" for each in news), news
    assert any("still waits for a node (0:" in each and "of at most 4 nodes" in each for each in news)


def test_a_quota_that_is_used_up_is_told(azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an endless queue without a word."""
    monkeypatch.setattr(azureml, "NEWS_SECONDS", 0.3)
    first, second = azureml_stage(lasting=True), azureml_stage()
    assert first.learning is not None
    next(first.backend.follow(first.submit()))
    monkeypatch.setitem(first.learning.azure.cloud.quotas, ("westeurope", quotas.LOW_PRIORITY), 4)
    news: list[str] = []

    def tell(text: str) -> None:
        news.append(text)
        if "quota" in text:
            first.backend.cancel(first.spec.run_id)

    lines = list(second.backend.follow(second.submit(), tell))

    assert lines == ["one", "two"]
    assert any("still waits for a node" in each and "quota of 4 cores" in each for each in news), news


def test_several_processes_of_a_node_have_one_folder(azureml_stage: Stage) -> None:
    """The source is unpacked once, and each line begins with its process' rank."""
    scene = azureml_stage(workers=2, processes_per_worker=2)
    scene.write_script("ls source.tar.gz 2>/dev/null\necho rank $RANK of $WORLD_SIZE on $NODE_RANK\n")

    lines = scene.run_to_end()
    record = scene.backend.collect(scene.describe())

    assert sorted(lines) == [f"[{rank}] rank {rank} of 4 on {rank // 2}" for rank in range(4)]
    assert sorted(scene.read_log(record).splitlines()) == sorted(lines)
    assert record.state.status is Status.COMPLETED


def test_a_secret_reaches_the_command_and_nothing_else(azureml_stage: Stage) -> None:
    """Not the job, its history, its files; and it is gone with the job's end."""
    value = "planted-in-command 'and' $HOME\nsecond line"
    scene = azureml_stage(secrets={"TOKEN": value}, image=PYTHON_IMAGE)
    scene.write_script('printf %s "$TOKEN" | sha256sum\nenv | grep -c "^TOKEN=\\|^AML_INFRA_S"\n')

    lines = scene.run_to_end()
    state = scene.describe()
    assert scene.learning is not None
    resources = scene.learning.azure.cloud.resources
    held = list_planted(scene, "planted-in-command")
    record = scene.backend.collect(state)
    shown = json.dumps([each.body for each in resources]) + str(record) + json.dumps(state.spec)

    assert lines == [f"{hashlib.sha256(value.encode()).hexdigest()}  -", "1"]
    assert len(held) == 1
    assert list_planted(scene, "planted-in-command") == []
    assert "planted-in-command" not in shown
    assert "planted-in-command" not in read_all_blobs(scene)


def test_data_is_mounted_and_found_by_its_name(azureml_stage: Stage, tmp_path: pathlib.Path) -> None:
    """A folder and a file of this machine, a place in a datastore, and what only the command can read."""
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "deep" / "cat.txt").write_text("cat\n")
    (tmp_path / "labels.csv").write_text("labels\n")
    inputs = {
        name: RunInput(path=str(path), version=source.take_data_snapshot(path).digest)
        for name, path in (("images", tmp_path / "images"), ("labels", tmp_path / "labels.csv"))
    }
    inputs["far"] = RunInput(path="s3://bucket/data", version="3")
    command = ("sh", "train.sh", "${{inputs.images}}/deep/cat.txt", "${{inputs.labels}}", "${{inputs.far}}")
    scene = azureml_stage(inputs=inputs, command=command, parameters={"lr": "0.01"})
    scene.write_script('cat "$1" "$2"\necho "$3" "$4"\ntest "$AML_INFRA_INPUT_labels" = "$2" && echo same\n')

    lines = scene.run_to_end()
    before = len(list_data_uploads(scene))
    again = dataclasses.replace(scene.spec, triggers={"again": "1"})
    scene.backend.submit(again, 1, scene.snapshot)

    assert lines == ["cat", "labels", "s3://bucket/data --lr=0.01", "same"]
    assert before == 2
    assert len(list_data_uploads(scene)) == before


@pytest.mark.parametrize(
    ("changes", "variables"),
    [
        ({"workers": 1, "processes_per_worker": 3}, "$RANK of $WORLD_SIZE"),
        (
            {"workers": 1, "processes_per_worker": 3, "framework": "mpi"},
            "$OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE",
        ),
    ],
)
def test_processes_of_a_node_share_its_folder(azureml_stage: Stage, changes: dict[str, Any], variables: str) -> None:
    """The source is there for each of them when it starts, and each line begins with the rank of its process."""
    scene = azureml_stage(**changes)
    scene.write_script(f'echo "{variables}"\nls source.tar.gz 2>/dev/null\n')

    lines = scene.run_to_end()

    assert sorted(lines) == [f"[{rank}] {rank} of 3" for rank in range(3)]
    assert scene.backend.collect(scene.describe()).log_path.endswith("/user_logs/")


def test_workers_of_tensorflow_are_told_by_one_variable(azureml_stage: Stage) -> None:
    """Each has a node of its own."""
    scene = azureml_stage(workers=2, framework="tensorflow")
    scene.write_script('echo "$TF_CONFIG" | grep -o \'"index": .\'\n')

    assert sorted(scene.run_to_end()) == ['[0] "index": 0', '[1] "index": 1']


def test_data_of_the_workspace_is_mounted(azureml_stage: Stage) -> None:
    """A place in a datastore, and a data asset by its name and version; nobody can write there."""
    assert azureml_stage.learning is not None
    service = azureml_stage.learning.open_service()
    store = service.open_datastore(azureml_request.DATASTORE)
    store.get_blob_client("pets/cat.txt").upload_blob(b"cat\n", overwrite=True)
    place = f"azureml://datastores/{azureml_request.DATASTORE}/paths/pets"
    asset = {"properties": {"dataType": "uri_folder", "dataUri": place}}
    service.put(f"{azureml_stage.learning.place.workspace_id}/data/pets/versions/1", asset)
    inputs = {"place": RunInput(path=place, version="1"), "asset": RunInput(path="azureml:pets:1", version="1")}
    command = ("sh", "train.sh", "${{inputs.place}}", "${{inputs.asset}}")
    scene = azureml_stage(inputs=inputs, command=command)
    scene.write_script('cat "$1/cat.txt" "$2/cat.txt"\ntouch "$1/dog.txt" 2>/dev/null || echo read-only\n')

    assert scene.run_to_end() == ["cat", "cat", "read-only"]


def test_source_that_is_there_is_not_sent_again(azureml_stage: Stage) -> None:
    """Executable files and links are as they were; another run of the same source sends nothing."""
    scene = azureml_stage()
    scene.write_script("./tool.sh\nreadlink link\nls source.tar.gz 2>/dev/null || echo unpacked\n")
    (scene.source / "tool.sh").write_text("#!/bin/sh\necho tool\n")
    (scene.source / "tool.sh").chmod(0o755)
    (scene.source / "link").symlink_to("tool.sh")
    scene.take_snapshot()
    before = count_uploads(scene)

    lines = scene.run_to_end()
    first = count_uploads(scene) - before
    again = dataclasses.replace(scene.spec, triggers={"again": "1"})
    scene.open_another().submit(again, 1, scene.snapshot)

    assert lines == ["tool", "tool.sh", "unpacked"]
    assert first == 1
    assert count_uploads(scene) - before == first


def test_an_upload_that_was_cut_goes_on_where_it_was(azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that arrived are not sent again, and the user sees how far it is."""
    monkeypatch.setattr(azureml_upload, "BLOCK_BYTES", MEBIBYTE // 4)
    monkeypatch.setattr(progress, "NEWS_SECONDS", 0.0)
    scene = azureml_stage()
    content = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(MEBIBYTE // 16))
    (scene.source / "weights.bin").write_bytes(content)
    scene.take_snapshot()
    before, news = count_uploads(scene), list[str]()

    fault = Fault("status", "/source.tar.gz$", "PUT", status=403, skip=5, times=99, host=BLOBS)
    with fail(azureml_stage, fault), pytest.raises(RunNotSubmitted):
        scene.backend.submit(scene.spec, 1, scene.snapshot)
    refused = count_uploads(scene) - before
    scene.backend.submit(scene.spec, 1, scene.snapshot, news.append)
    sent = count_uploads(scene) - before - refused

    assert scene.follow() == ["one", "two"]
    # Nine blocks and their list, less the five that were there.
    assert sent == 5
    assert news[-1] == "uploading source: 2.0 of 2.0 MiB"


def test_a_job_of_somebody_else_is_left_alone(azureml_stage: Stage) -> None:
    """It is neither joined nor changed; the message says what to do."""
    scene = azureml_stage()
    other = azureml_stage()
    other.submit()
    assert scene.learning is not None
    jobs = [each for each in scene.learning.azure.cloud.resources if each.name == other.spec.run_id]
    jobs[0].properties["properties"] = {"theirs": "1"}

    with pytest.raises(RunConflict, match="rename the job"):
        other.backend.describe(other.spec.run_id)
    with pytest.raises(RunConflict, match="rename the job"):
        other.backend.submit(other.spec, 1, other.snapshot)


def test_what_the_service_refuses_is_told(azureml_stage: Stage) -> None:
    """A cluster that is not there, and an account that may not."""
    scene = azureml_stage()
    assert scene.learning is not None
    place = dataclasses.replace(scene.learning.place, compute_name="nowhere")
    nowhere = azureml.AzuremlBackend(dataclasses.replace(scene.learning, place=place).open_service())
    _, environment = scene.learning.azure.add_principal(("Reader", scene.learning.place.workspace_id))
    reader = azureml.AzuremlBackend(scene.learning.open_service(environment))

    with pytest.raises(RunNotSubmitted, match="nowhere"):
        nowhere.submit(scene.spec, 1, scene.snapshot)
    with pytest.raises(RunNotSubmitted, match="role"):
        reader.submit(scene.spec, 1, scene.snapshot)
    assert scene.backend.describe(scene.spec.run_id) is None


def test_roles_of_a_new_workspace_are_waited_for(azureml_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was given a moment ago may not count yet where the data is; in an old workspace it would."""
    scene = azureml_stage(secrets={"TOKEN": "planted-before-roles"})
    scene.write_script("echo source that was never sent\n")

    steps = (("/source.tar.gz$", BLOBS), ("/jobs/", ""))
    for denied in (Fault("status", path, "PUT", status=403, times=99, host=host) for path, host in steps):
        monkeypatch.setattr(azureml, "ROLES_SECONDS", 3600.0)
        with fail(azureml_stage, denied), pytest.raises(NotReadyYet, match="the workspace is new"):
            scene.backend.submit(scene.spec, 1, scene.snapshot)
        monkeypatch.setattr(azureml, "ROLES_SECONDS", 0.0)
        with fail(azureml_stage, denied), pytest.raises(RunNotSubmitted):
            scene.backend.submit(scene.spec, 1, scene.snapshot)

    assert list_planted(scene, "planted-before-roles") == []
    assert scene.backend.describe(scene.spec.run_id) is None


@pytest.mark.parametrize("identity", ["managed", "user", ""])
def test_a_run_is_to_azure_what_was_asked_for(azureml_stage: Stage, identity: str) -> None:
    """The cluster's own identity gives it tokens; who submitted opens its data, and gives none."""
    scene = azureml_stage(identity=identity)
    scene.write_script('echo "${MSI_ENDPOINT:+tokens}"\n')

    assert scene.run_to_end() == ["" if identity == "user" else "tokens"]


def test_an_identity_that_the_cluster_does_not_have_is_no_other(azureml_stage: Stage) -> None:
    """The data of the run cannot be opened then, and the run fails."""
    scene = azureml_stage(identity="00000000-0000-4000-8000-000000000000")

    assert scene.run_to_end() == []
    assert scene.describe().status is Status.FAILED


def test_an_output_goes_where_it_was_asked_for(azureml_stage: Stage) -> None:
    """To a folder of a datastore, mounted or not; another attempt of its own writes to another folder."""
    place = f"azureml://datastores/{azureml_request.DATASTORE}/paths/{uuid.uuid4().hex}"
    outputs = {"there": RunOutput(path=place, mode="upload"), "own": RunOutput()}
    command = ("sh", "train.sh", "${{outputs.there}}", "${{outputs.own}}")
    scene = azureml_stage(outputs=outputs, command=command)
    scene.write_script('echo weights > "$1/weights"\necho $AML_INFRA_ATTEMPT > "$AML_INFRA_OUTPUT_own/attempt"\n')

    scene.run_to_end()
    record = scene.backend.collect(scene.describe())

    assert record.output_paths["there"] == place
    assert scene.read_named_output(record, "there", "weights") == "weights\n"
    assert scene.read_named_output(record, "own", "attempt") == "1\n"


def test_an_image_that_cannot_be_pulled_fails_the_run_with_the_reason(azureml_stage: Stage) -> None:
    """In the service's words; nothing was printed."""
    scene = azureml_stage(image=f"localhost/no/such@sha256:{'0' * 64}")

    assert scene.run_to_end() == []
    state = scene.describe()

    assert state.status is Status.FAILED
    assert "Failed to pull Docker image localhost/no/such" in state.reason


def test_an_image_is_identified_by_its_digest_or_its_environment(azureml_stage: Stage) -> None:
    """A tag is nothing that stays what it is."""
    backend = azureml_stage().backend
    digest = f"sha256:{'a' * 64}"

    assert backend.identify_image(f"server/name@{digest}") == digest
    curated = backend.identify_image("azureml:AzureML-acpt-pytorch-2.8-cuda12.6:7")
    assert curated.startswith("sha256:")
    for image in ("python:3.11", "azureml:nothing:1"):
        with pytest.raises(InvalidInput, match=image):
            backend.identify_image(image)


def test_runs_that_are_removed_are_archived(azureml_stage: Stage) -> None:
    """Out of the lists that people look at, and still known."""
    scene = azureml_stage(exit_codes=[3, 0])
    scene.run_to_end()
    scene.run_to_end(attempt=2)
    state = scene.describe()

    scene.backend.remove(scene.spec.run_id)
    assert scene.learning is not None
    names = (scene.spec.run_id, f"{scene.spec.run_id}-2")
    jobs = [each for each in scene.learning.azure.cloud.resources if each.name in names]

    assert [each.properties["isArchived"] for each in jobs] == [True, True]
    assert scene.describe() == state


def test_parameters_are_logged_beside_what_the_run_logs(azureml_stage: Stage) -> None:
    """Once, however often it is collected."""
    scene = azureml_stage(parameters={"lr": "0.01", "epochs": "3"})
    scene.run_to_end()

    scene.backend.collect(scene.describe())
    scene.open_another().collect(scene.describe())
    assert scene.learning is not None
    service = scene.learning.open_service()

    assert service.get_logged(scene.spec.run_id).parameters == {"lr": "0.01", "epochs": "3"}


def test_a_cluster_that_is_not_there_yet_is_no_problem(azureml_stage: Stage) -> None:
    """It may be made by the same update; what there is too little of is told with its path."""
    scene = azureml_stage()
    assert scene.learning is not None
    place = dataclasses.replace(scene.learning.place, compute_name="nowhere")
    nowhere = azureml.AzuremlBackend(dataclasses.replace(scene.learning, place=place).open_service())

    assert nowhere.find_problems(Demand()) == []
    assert [each.path for each in scene.backend.find_problems(Demand(workers=5))] == ["distribution.workers"]


def let_go(scene: Scene) -> None:
    """Lets a script that waits for the file ``outputs/go`` go on."""
    assert scene.learning is not None
    scene.learning.run_inside(scene.spec.run_id, "touch outputs/go")


def list_planted(scene: Scene, marker: str) -> list[Resource]:
    """The connections that hold the planted secret, of which other tests leave some of their own."""
    assert scene.learning is not None
    there = [each for each in scene.learning.azure.cloud.resources if each.type.endswith("/connections")]
    return [each for each in there if marker in json.dumps(each.secrets)]


def list_data_uploads(scene: Scene) -> list[str]:
    """The paths of data of this machine that were sent."""
    assert scene.learning is not None
    calls = scene.learning.azure.cloud.calls
    return [each.path for each in calls if each.method == "PUT" and "/aml-infra/data/" in each.path]


def read_all_blobs(scene: Scene) -> str:
    """All that is in the workspace's datastores, unpacked where it is the source."""
    assert scene.learning is not None
    service = scene.learning.open_service()
    text = ""
    for name in (azureml_request.DATASTORE, azureml_service.ARTIFACTS):
        store = service.open_datastore(name)
        text += "".join(
            store.download_blob(each).readall().decode("utf-8", "replace") for each in store.list_blob_names()
        )
    return text
