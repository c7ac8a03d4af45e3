"""What is asked of Azure Machine Learning, compared whole."""

from __future__ import annotations

import dataclasses
import json
import shlex

import pytest

from aml_infra.backends import azureml_request
from aml_infra.backends.azureml_request import Place
from aml_infra.errors import InvalidInput
from aml_infra.spec import RunInput, RunOutput, RunSpec

PLACE = Place(subscription_id="s", resource_group="g", workspace_name="pets", compute_name="gpu")
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/pets"
DIGEST = "ab" * 32


def build_spec(**changes: object) -> RunSpec:
    """A spec with these changes."""
    values: dict[str, object] = {
        "name": "train",
        "source_digest": DIGEST,
        "command": ("python", "train.py"),
        "image": f"server.azurecr.io/fastai@sha256:{DIGEST}",
        "image_identity": "key",
        **changes,
    }
    return RunSpec(**values)  # type: ignore[arg-type]


def test_a_plain_run() -> None:
    """The whole request: paths, an environment for the image, the job's body."""
    spec = build_spec(environment={"A": "1"}, parameters={"lr": "0.01"}, tags={"team": "pets"})

    request = azureml_request.build_request(PLACE, spec, 2)

    code = f"{WORKSPACE}/codes/aml-infra-{DIGEST[:32]}/versions/1"
    assert request == {
        "code": {"path": code, "folder": f"aml-infra/source/{DIGEST}"},
        "environment": {
            "path": f"{WORKSPACE}/environments/aml-infra/versions/{request['environment']['path'][-12:]}",
            "body": {"properties": {"image": spec.image, "osType": "Linux", "isAnonymous": False}},
        },
        "inputs": {},
        "secrets": {"folder": f"{WORKSPACE}/connections", "names": []},
        "job": {
            "path": f"{WORKSPACE}/jobs/{spec.run_id}-2",
            "body": {
                "properties": {
                    "jobType": "Command",
                    "displayName": "train",
                    "experimentName": "Default",
                    "tags": {"team": "pets"},
                    "properties": {
                        "aml-infra.run": spec.run_id,
                        "aml-infra.attempt": "2",
                        "aml-infra.fingerprint": spec.fingerprint,
                    },
                    "codeId": code,
                    "environmentId": request["environment"]["path"],
                    "computeId": f"{WORKSPACE}/computes/gpu",
                    "command": "tar -xzf source.tar.gz && rm source.tar.gz && exec python train.py --lr=0.01",
                    "environmentVariables": {
                        "PYTHONUNBUFFERED": "1",
                        "AML_INFRA_RUN_ID": spec.run_id,
                        "AML_INFRA_ATTEMPT": "2",
                        "A": "1",
                    },
                    "resources": {"instanceCount": 1},
                }
            },
        },
    }


def test_a_data_asset_is_named_by_its_resource_id() -> None:
    """As tools do that take its short form."""
    spec = build_spec(inputs={"pets": RunInput(path="azureml:pets:3", version="3")})

    job = azureml_request.build_request(PLACE, spec, 1)["job"]["body"]["properties"]

    assert job["inputs"]["pets"]["uri"] == f"{WORKSPACE}/data/pets/versions/3"


def test_outputs_are_folders_of_a_datastore() -> None:
    """Where the user says, else where no other attempt writes."""
    outputs = {"model": RunOutput(), "log": RunOutput(path="azureml://datastores/lake/paths/log", mode="upload")}
    spec = build_spec(outputs=outputs, command=("train", "${{outputs.model}}"))

    job = azureml_request.build_request(PLACE, spec, 2)["job"]["body"]["properties"]

    own = f"azureml://datastores/workspaceblobstore/paths/aml-infra/outputs/{spec.run_id}-2/model/"
    assert job["outputs"] == {
        "log": {"jobOutputType": "uri_folder", "uri": "azureml://datastores/lake/paths/log", "mode": "Upload"},
        "model": {"jobOutputType": "uri_folder", "uri": own, "mode": "ReadWriteMount"},
    }
    assert job["command"].endswith(
        " && export AML_INFRA_OUTPUT_log='${{outputs.log}}' && export AML_INFRA_OUTPUT_model='${{outputs.model}}'"
        " && exec train '${{outputs.model}}'"
    )


@pytest.mark.parametrize(
    ("changes", "identity"),
    [
        ({}, None),
        ({"identity": "managed"}, {"identityType": "Managed"}),
        ({"identity": "user"}, {"identityType": "UserIdentity"}),
        ({"identity": "0-1"}, {"identityType": "Managed", "clientId": "0-1"}),
        ({"secrets": {"A": "x"}}, {"identityType": "Managed"}),
        ({"secrets": {"A": "x"}, "identity": "0-1"}, {"identityType": "Managed", "clientId": "0-1"}),
    ],
)
def test_what_a_job_is_to_azure(changes: dict[str, object], identity: dict[str, str] | None) -> None:
    """What the user says; one with secrets asks for them with an identity of the cluster's."""
    job = azureml_request.build_request(PLACE, build_spec(**changes), 1)["job"]["body"]["properties"]

    assert job.get("identity") == identity


def test_several_workers_and_a_limit() -> None:
    """A node for each, one process on it; whole seconds."""
    job = azureml_request.build_request(PLACE, build_spec(workers=3, timeout_minutes=0.51), 1)["job"]["body"]

    assert job["properties"]["resources"] == {"instanceCount": 3}
    assert job["properties"]["distribution"] == {"distributionType": "PyTorch", "processCountPerInstance": 1}
    assert job["properties"]["limits"] == {"jobLimitsType": "Command", "timeout": "PT31S"}


@pytest.mark.parametrize(
    ("changes", "distribution"),
    [
        ({"workers": 2}, {"distributionType": "PyTorch", "processCountPerInstance": 1}),
        (
            {"workers": 1, "processes_per_worker": 4},
            {"distributionType": "PyTorch", "processCountPerInstance": 4},
        ),
        (
            {"workers": 2, "framework": "mpi", "processes_per_worker": 4},
            {"distributionType": "Mpi", "processCountPerInstance": 4},
        ),
        (
            {"workers": 3, "framework": "tensorflow"},
            {"distributionType": "TensorFlow", "workerCount": 3, "parameterServerCount": 0},
        ),
        ({"workers": 1, "framework": "mpi"}, None),
    ],
)
def test_the_distributions_of_the_service(changes: dict[str, object], distribution: dict[str, object] | None) -> None:
    """A node for each worker, whatever is started on it."""
    job = azureml_request.build_request(PLACE, build_spec(**changes), 1)["job"]["body"]["properties"]

    assert job.get("distribution") == distribution
    assert job["resources"] == {"instanceCount": changes["workers"]}


def test_processes_of_one_node_unpack_the_source_once() -> None:
    """They have one folder: the first unpacks, the others wait until it is done."""
    command = azureml_request.build_command(build_spec(processes_per_worker=2))

    assert command == (
        "if mkdir .aml-infra 2>/dev/null; then tar -xzf source.tar.gz && rm source.tar.gz; "
        "else while [ -e source.tar.gz ]; do sleep 0.1; done; fi && exec python train.py"
    )


def test_inputs_are_mounted_or_handed_on() -> None:
    """Data of this machine is in the datastore by its content; what the service cannot read is only text."""
    inputs = {
        "images": RunInput(path="/data/images", version="cd" * 32),
        "table": RunInput(path="azureml://datastores/lake/paths/table", version="3"),
        "far": RunInput(path="s3://bucket/x", version="1"),
    }
    spec = build_spec(inputs=inputs, command=("train", "${{inputs.images}}/cat.png", "${{inputs.table}}"))

    request = azureml_request.build_request(PLACE, spec, 1)
    job = request["job"]["body"]["properties"]

    place = f"aml-infra/data/{'cd' * 32}"
    assert request["inputs"] == {"images": place}
    assert job["inputs"] == {
        "far": {"jobInputType": "literal", "value": "s3://bucket/x"},
        "images": {
            "jobInputType": "uri_folder",
            "uri": f"azureml://datastores/workspaceblobstore/paths/{place}/",
            "mode": "ReadOnlyMount",
        },
        "table": {
            "jobInputType": "uri_folder",
            "uri": "azureml://datastores/lake/paths/table",
            "mode": "ReadOnlyMount",
        },
    }
    *_, exports, command = job["command"].partition(" && export ")
    assert command.split(" && ") == [
        "AML_INFRA_INPUT_far='${{inputs.far}}'",
        "export AML_INFRA_INPUT_images='${{inputs.images}}/images'",
        "export AML_INFRA_INPUT_table='${{inputs.table}}'",
        "exec train '${{inputs.images}}/images/cat.png' '${{inputs.table}}'",
    ]
    assert exports


def test_how_inputs_come_is_as_asked() -> None:
    """A file or a folder, mounted or downloaded; data of this machine is in a folder in any case."""
    inputs = {
        "images": RunInput(path="/data/images", version="cd" * 32, mode="download"),
        "table": RunInput(path="azureml:table:3", version="3", type="file"),
        "lake": RunInput(path="azureml:lake:1", version="1", mode="download"),
        "far": RunInput(path="s3://bucket/x", version="1", type="file", mode="download"),
    }

    job = azureml_request.build_request(PLACE, build_spec(inputs=inputs), 1)["job"]["body"]["properties"]

    told = {name: (given["jobInputType"], given.get("mode")) for name, given in job["inputs"].items()}
    assert told == {
        "images": ("uri_folder", "Download"),
        "table": ("uri_file", "ReadOnlyMount"),
        "lake": ("uri_folder", "Download"),
        "far": ("literal", None),
    }


def test_words_reach_the_program_as_they_are() -> None:
    """Whatever a shell would make of them."""
    words = ("python", "-c", "print('a b')", "$HOME", "`id`", "a;b", "")

    command = azureml_request.build_command(build_spec(command=words))

    assert tuple(shlex.split(command.partition("exec ")[2])) == words


def test_secrets_are_named_and_fetched_by_the_job() -> None:
    """The value is in the connection only; the job runs with the cluster's identity."""
    request = azureml_request.build_request(PLACE, build_spec(secrets={"TOKEN": "planted-marker"}), 1)

    job = azureml_request.complete(request, "0123456789abcdef", start="print()")["properties"]

    connection = f"{WORKSPACE}/connections/aml-infra-0123456789abcdef"
    assert request["secrets"]["names"] == ["TOKEN"]
    assert job["identity"] == {"identityType": "Managed"}
    assert job["environmentVariables"]["AML_INFRA_SECRETS"] == connection
    assert job["environmentVariables"]["AML_INFRA_START"] == "print()"
    assert job["properties"]["aml-infra.submission"] == "0123456789abcdef"
    assert job["command"].endswith('exec python3 -c "$AML_INFRA_START" python train.py')
    assert "planted-marker" not in json.dumps([request, job])
    assert azureml_request.build_connection({"TOKEN": "x"})["properties"]["credentials"] == {"keys": {"TOKEN": "x"}}


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("azureml:fastai:2", f"{WORKSPACE}/environments/fastai/versions/2"),
        (f"{WORKSPACE}/environments/x/versions/1", f"{WORKSPACE}/environments/x/versions/1"),
    ],
)
def test_an_environment_that_exists_is_used(image: str, place: str) -> None:
    """By its name and version, or by its resource id."""
    request = azureml_request.build_request(PLACE, build_spec(image=image), 1)

    assert request["environment"] is None
    assert request["job"]["body"]["properties"]["environmentId"] == place


def test_a_misspelt_environment_is_refused() -> None:
    """With how it is written."""
    with pytest.raises(InvalidInput, match="azureml:name:version"):
        azureml_request.locate_environment(PLACE, "azureml:fastai")


def test_an_environment_is_what_it_is_made_of() -> None:
    """Its image, its Conda file or its build, and nothing that the service adds."""
    first = {"properties": {"image": "a", "provisioningState": "Succeeded"}}
    same = {"properties": {"image": "a", "provisioningState": "Creating", "tags": {"x": "1"}}}
    other = {"properties": {"image": "a", "condaFile": "b"}}

    identities = [azureml_request.identify_environment(each) for each in (first, same, other)]

    assert identities[0] == identities[1] != identities[2]


def test_a_job_on_an_attached_cluster_names_its_instance_type() -> None:
    """Of each worker; it is the same run whatever it is."""
    place = dataclasses.replace(PLACE, instance_type="gpu")
    spec = build_spec(workers=2)

    job = azureml_request.build_request(place, spec, 1)["job"]
    other = azureml_request.build_request(PLACE, spec, 1)["job"]

    assert job["body"]["properties"]["resources"] == {"instanceCount": 2, "instanceType": "gpu"}
    assert other["body"]["properties"]["resources"] == {"instanceCount": 2}
    assert job["path"] == other["path"]
