from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra import source
from aml_infra.backends import fake
from aml_infra.backends.base import Backend, Status
from aml_infra.errors import BackendUnavailable
from aml_infra.provider import diff, inputs, wire
from aml_infra.provider.lifecycle import Policy
from aml_infra.provider.wire import UNKNOWN, Secret
from aml_infra.spec import Resources, RunInput, RunOutput, RunSpec


def open_fake(name: str, options: Mapping[str, str]) -> Backend:
    """A fake with one image and two processors, whatever backend is asked for."""
    return fake.open_backend({"script": '{"images": {"image:1": "sha256:1"}, "cpus": 2}', **options})


@pytest.fixture
def given(tmp_path: pathlib.Path) -> dict[str, Any]:
    """The smallest inputs that are right."""
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "train.py").write_text("x")
    return {"source": str(folder), "command": ["python", "train.py"], "image": "image:1"}


@pytest.fixture
def pets(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with data."""
    folder = tmp_path / "pets"
    folder.mkdir()
    (folder / "cat.jpg").write_text("cat")
    return folder


def find_paths(given: Mapping[str, Any]) -> list[str]:
    """The paths of the problems of ``given``."""
    return [problem.path for problem in inputs.check(given, open_fake).problems]


def tell(given: Mapping[str, Any]) -> list[str]:
    """The problems of ``given``, as the user reads them."""
    return [str(problem) for problem in inputs.check(given, open_fake).problems]


def make_spec(given: Mapping[str, Any]) -> RunSpec:
    """The run of ``given``, which must be right and known, as it is when it has been to the engine and back."""
    checked = inputs.check(given, open_fake)
    assert checked.problems == ()
    spec = inputs.read_spec("train", wire.decode(wire.encode(checked.values)))
    assert spec is not None
    return spec


def test_good_inputs_are_completed(given: dict[str, Any]) -> None:
    """The source's digest and files, and the image's digest, are added."""
    checked = inputs.check(given, open_fake)

    assert checked.problems == ()
    assert list(checked.values["sourceFiles"]) == ["train.py"]
    assert checked.values["imageIdentity"] == "sha256:1"
    assert inputs.read_spec("train", checked.values) is not None


def test_all_problems_are_told_at_once(given: dict[str, Any]) -> None:
    """Every property that is wrong is named in one check."""
    wrong = {
        **given,
        "source": given["source"] + "/nowhere",
        "command": [],
        "cpus": -1.0,
        "memoryGb": 1e9,
        "gpus": 1.5,
        "timeoutMinutes": 0.0,
        "onDestroy": "explode",
        "environmentVariables": {"1X": "y"},
        "parameters": {"2lr": 1.0},
        "inputs": {"pets": {"path": ""}},
        "distribution": {"workers": 0.0},
        "requireMetrics": ["accuracy"],
        "retries": -1.0,
        "retryOn": ["oom"],
        "wait": "no",
        "onInterrupt": "explode",
        "tags": "none",
        "sauce": "typo",
    }

    assert sorted(find_paths(wrong)) == [
        "command",
        "cpus",
        "distribution.workers",
        "environment_variables['1X']",
        "gpus",
        "inputs['pets']",
        "memory_gb",
        "on_destroy",
        "on_interrupt",
        "parameters['2lr']",
        "require_metrics[0]",
        "retries",
        "retry_on[0]",
        "sauce",
        "source",
        "tags",
        "timeout_minutes",
        "wait",
    ]


def test_what_the_compute_does_not_have_is_a_problem(given: dict[str, Any]) -> None:
    """More processors, or GPUs, than there are; or more memory than there is for all workers together."""
    assert find_paths({**given, "cpus": 4.0, "gpus": 1.0}) == ["cpus", "gpus"]
    assert find_paths({**given, "memoryGb": 200.0, "distribution": {"workers": 2.0}}) == ["memory_gb"]


def test_missing_properties_are_named() -> None:
    """None of them has a default."""
    assert find_paths({}) == ["source", "command", "image"]


def test_an_unknown_image_is_named(given: dict[str, Any]) -> None:
    """At preview, and not when the run starts."""
    assert find_paths({**given, "image": "image:2"}) == ["image"]


def test_an_unknown_backend_is_named_with_those_there_are(given: dict[str, Any]) -> None:
    """The message lists what is allowed."""
    (problem,) = inputs.check({**given, "backend": "dokcer"}, open_fake).problems

    assert "'dokcer'; allowed are azureml, docker, fake" in problem.message


def test_a_service_that_does_not_answer_is_a_problem(given: dict[str, Any]) -> None:
    """It is told with the others, and not as a crash."""

    def open_nothing(name: str, options: Mapping[str, str]) -> Backend:
        raise BackendUnavailable("no answer; start it")

    problems = inputs.check({**given, "command": []}, open_nothing).problems

    assert [problem.path for problem in problems] == ["command", "compute"]


def test_unknown_values_are_left_for_later(given: dict[str, Any]) -> None:
    """What is not known yet is neither checked nor part of a spec."""
    checked = inputs.check({**given, "image": UNKNOWN, "environmentVariables": {"A": UNKNOWN}}, open_fake)

    assert checked.problems == ()
    assert checked.values["imageIdentity"] is UNKNOWN
    assert inputs.read_spec("train", checked.values) is None


def test_a_known_identity_of_an_unknown_image_makes_a_fingerprint(given: dict[str, Any]) -> None:
    """So that preview knows the run before the image is built."""
    checked = inputs.check({**given, "image": UNKNOWN, "imageIdentity": "key"}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert spec is not None
    assert spec.image_identity == "key"


def test_a_source_that_is_not_known_yet_is_left_for_later(given: dict[str, Any]) -> None:
    """Its files are not known either, and there is no spec yet."""
    checked = inputs.check({**given, "source": UNKNOWN}, open_fake)

    assert checked.problems == ()
    assert checked.values["sourceFiles"] is UNKNOWN
    assert inputs.read_spec("train", checked.values) is None


@pytest.mark.parametrize("options", [{"data_folder": UNKNOWN}, UNKNOWN])
def test_a_place_that_is_not_known_yet_is_left_for_later(given: dict[str, Any], options: Any) -> None:
    """The image is identified when it is known where."""
    checked = inputs.check({**given, "backendOptions": options}, open_fake)

    assert checked.values["imageIdentity"] is UNKNOWN


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"source": " "}, "source"),
        ({"image": ""}, "image"),
        ({"gpus": math.inf}, "gpus"),
        ({"gpus": math.nan}, "gpus"),
        ({"backendOptions": {"data_folder": "relative"}}, "backend_options.data_folder"),
    ],
)
def test_empty_endless_and_relative_values_are_named(given: dict[str, Any], change: dict[str, Any], path: str) -> None:
    """Each is a problem with its path, and not a crash."""
    assert find_paths({**given, **change}) == [path]


def test_a_secret_image_stays_one(given: dict[str, Any]) -> None:
    """It is checked as it is, and wrapped in what goes back to the engine."""
    checked = inputs.check({**given, "image": Secret("image:1")}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert checked.values["image"] == Secret("image:1")
    assert spec is not None
    assert (spec.image, spec.image_identity) == ("image:1", "sha256:1")


@pytest.mark.parametrize(
    "variables", [{"TOKEN": Secret("hunter2"), "A": Secret("1")}, Secret({"TOKEN": "hunter2", "A": "1"})]
)
def test_secret_variables_stay_secret(given: dict[str, Any], variables: Any) -> None:
    """One by one, or the map as a whole: each goes back to the engine wrapped, and no file of the run has its value."""
    checked = inputs.check({**given, "environmentVariables": variables}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert checked.problems == ()
    assert checked.values["environmentVariables"] == {"TOKEN": Secret("hunter2"), "A": Secret("1")}
    assert spec is not None
    assert (spec.environment, spec.secrets) == ({}, {"TOKEN": "hunter2", "A": "1"})


def test_of_secret_variables_only_the_names_count(given: dict[str, Any]) -> None:
    """Another value is the same run, and one that is not known yet does not hide it; another name is another run."""
    run_ids = [
        make_spec({**given, "environmentVariables": {"PLAIN": "1", **variables}}).run_id
        for variables in ({"T": Secret("a")}, {"T": Secret("b")}, {"T": Secret(UNKNOWN)}, {"U": Secret("a")}, {})
    ]

    assert len(set(run_ids[:3])) == 1
    assert len(set(run_ids)) == 3


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"1T": Secret("hunter2")},
            (
                "environment_variables['1T']: is not a name for an environment variable; allowed are letters, digits "
                "and _, not starting with a digit"
            ),
        ),
        (
            Secret({"T": "hunter2\0"}),
            "environment_variables['T']: holds a NUL character, which no variable can have; remove it",
        ),
        (
            Secret(["hunter2"]),
            "environment_variables: is a list that does not fit; give a map of texts",
        ),
    ],
)
def test_problems_of_secret_variables_do_not_show_them(given: dict[str, Any], variables: Any, told: str) -> None:
    """The name is enough to find it."""
    assert tell({**given, "environmentVariables": variables}) == [told]


@pytest.mark.parametrize("variables", [UNKNOWN, Secret(UNKNOWN), {"A": UNKNOWN}, Secret({"A": UNKNOWN})])
def test_variables_that_are_not_known_yet_are_left_for_later(given: dict[str, Any], variables: Any) -> None:
    """Neither a problem nor a crash; only where all names are known, and all values are secret, there is a run."""
    checked = inputs.check({**given, "environmentVariables": variables}, open_fake)
    spec = inputs.read_spec("train", wire.decode(wire.encode(checked.values)))

    assert checked.problems == ()
    assert (spec is not None) is (variables == Secret({"A": UNKNOWN}))


def test_a_secret_anywhere_else_is_refused(given: dict[str, Any]) -> None:
    """The user is told where, and the value is not shown."""
    (told,) = tell({**given, "parameters": {"password": Secret("hunter2")}})

    assert told.startswith("parameters: is a secret, and would be shown in the run's record")
    assert "hunter2" not in told


def test_data_of_this_machine_is_identified_by_its_content(given: dict[str, Any], pets: pathlib.Path) -> None:
    """A folder or a single file: its digest and its files are added, and where it lies makes no other run."""
    data = {"pets": {"path": str(pets)}, "cat": {"path": str(pets / "cat.jpg")}}
    checked = inputs.check({**given, "inputs": data}, open_fake)
    before = make_spec({**given, "inputs": data})
    moved = pets.rename(pets.with_name("animals"))
    after = make_spec({**given, "inputs": {"pets": {"path": str(moved)}, "cat": {"path": str(moved / "cat.jpg")}}})

    assert checked.problems == ()
    assert checked.values["inputDigests"] == {name: before.inputs[name].version for name in data}
    assert {name: list(files) for name, files in checked.values["inputFiles"].items()} == {
        "pets": ["cat.jpg"],
        "cat": ["cat.jpg"],
    }
    assert before.inputs["pets"] == RunInput(path=str(pets), version=source.take_data_snapshot(moved).digest)
    assert before.fingerprint == after.fingerprint


def test_data_that_changed_makes_another_run(given: dict[str, Any], pets: pathlib.Path) -> None:
    """By its content, and not by its time."""
    data = {**given, "inputs": {"pets": {"path": str(pets)}}}
    before = make_spec(data)
    (pets / "cat.jpg").write_text("another cat")

    assert make_spec(data).fingerprint != before.fingerprint


def test_data_elsewhere_is_identified_by_its_version(given: dict[str, Any]) -> None:
    """Nothing is read; the version is the user's word, and another place is another run."""
    place = {"path": "s3://bucket/labels.csv", "version": "3"}
    spec = make_spec({**given, "inputs": {"labels": place}})

    assert spec.inputs == {"labels": RunInput(path="s3://bucket/labels.csv", version="3")}


def test_how_data_comes_is_no_other_run(given: dict[str, Any]) -> None:
    """The content is the same; the next attempt uses it, and a run that completed stays what it is."""
    place = {"path": "azureml:labels:3", "version": "3"}
    other = {**place, "type": "file", "mode": "download"}
    before, after = ({**given, "inputs": {"labels": data}} for data in (place, other))

    changes = diff.compare(
        inputs.check(before, open_fake).values, inputs.check(after, open_fake).values, Status.COMPLETED.value
    )

    spec = make_spec(after)
    assert spec.inputs == {"labels": RunInput(path="azureml:labels:3", version="3", type="file", mode="download")}
    assert spec.fingerprint == make_spec(before).fingerprint
    assert list(changes) == ['inputs["labels"]["type"]', 'inputs["labels"]["mode"]']
    assert not any(found.replaces for found in changes.values())


@pytest.mark.parametrize("change", [{"version": "4"}, {"path": "s3://bucket/other.csv"}])
def test_data_elsewhere_that_changed_makes_another_run(given: dict[str, Any], change: dict[str, str]) -> None:
    """Its version, or its place: version 3 of one thing is not version 3 of another; the diff sees either."""
    place = {"path": "s3://bucket/labels.csv", "version": "3"}
    before, after = ({**given, "inputs": {"labels": data}} for data in (place, {**place, **change}))

    changes = diff.compare(
        inputs.check(before, open_fake).values, inputs.check(after, open_fake).values, Status.COMPLETED.value
    )

    assert make_spec(before).fingerprint != make_spec(after).fingerprint
    assert changes
    assert all(found.replaces for found in changes.values())


@pytest.mark.parametrize(
    ("name", "data", "path", "message"),
    [
        ("pets", {"path": "PETS/nowhere"}, "inputs['pets']", "does not exist"),
        ("pets", {"path": " "}, "inputs['pets']", "is empty"),
        ("pets", {"path": "s3://bucket/x"}, "inputs['pets']", "is the URI 's3://bucket/x' without a version"),
        ("pets", {"path": "PETS", "version": "3"}, "inputs['pets'].version", "is '3', but 'PETS' is on this machine"),
        (
            "pets",
            {"path": "PETS", "type": "file"},
            "inputs['pets'].type",
            "is on this machine, and says itself what it is",
        ),
        (
            "pets",
            {"path": "s3://x", "version": "1", "type": "table"},
            "inputs['pets'].type",
            "allowed are folder, file",
        ),
        (
            "pets",
            {"path": "s3://x", "version": "1", "mode": "copy"},
            "inputs['pets'].mode",
            "allowed are mount, download",
        ),
        ("my-pets", {"path": "PETS"}, "inputs['my-pets']", "is not a name for an input"),
        ("pets", {"path": 3.0}, "inputs", "is a dict that does not fit; give a map of DataInput(path, version, "),
        ("pets", "PETS", "inputs", "is a dict that does not fit; give a map of DataInput(path, version, "),
    ],
)
def test_bad_inputs_are_named(
    given: dict[str, Any], pets: pathlib.Path, name: str, data: Any, path: str, message: str
) -> None:
    """What is not there, what could change unseen, and what would have two identities."""

    def fill(value: Any) -> Any:
        return value.replace("PETS", str(pets)) if isinstance(value, str) else value

    filled = {key: fill(value) for key, value in data.items()} if isinstance(data, dict) else fill(data)

    (problem,) = inputs.check({**given, "inputs": {name: filled}}, open_fake).problems

    assert problem.path == path
    assert fill(message) in problem.message


def test_problems_of_several_inputs_are_told_at_once(given: dict[str, Any], pets: pathlib.Path) -> None:
    """Each with its name; what is right with the others is kept."""
    checked = inputs.check(
        {**given, "inputs": {"a": {"path": "/nowhere"}, "b": {"path": "s3://x/y"}, "c": {"path": str(pets)}}}, open_fake
    )

    assert [problem.path for problem in checked.problems] == ["inputs['a']", "inputs['b']"]
    assert list(checked.values["inputFiles"]["c"]) == ["cat.jpg"]


@pytest.mark.parametrize(
    "data",
    [
        UNKNOWN,
        {"pets": UNKNOWN},
        {"pets": {"path": UNKNOWN}},
        {"pets": {"path": "s3://x/y", "version": UNKNOWN}},
    ],
)
def test_data_that_is_not_known_yet_is_left_for_later(given: dict[str, Any], data: Any) -> None:
    """Its digest is not known either, and there is no run yet; a placeholder for it is no problem."""
    command = ["python", "${{inputs.pets}}"] if isinstance(data, dict) else ["python"]
    checked = inputs.check({**given, "command": command, "inputs": data}, open_fake)

    assert checked.problems == ()
    assert wire.has_unknown(checked.values["inputDigests"])
    assert inputs.read_spec("train", checked.values) is None


def test_a_large_input_is_summed_up_by_folders(given: dict[str, Any], pets: pathlib.Path) -> None:
    """The state stays small, and the digest is still that of every file."""
    for number in range(150):
        folder = pets / str(number % 2)
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jpg").write_text("x")

    checked = inputs.check({**given, "inputs": {"pets": {"path": str(pets)}}}, open_fake)

    assert list(checked.values["inputFiles"]["pets"]) == ["0/", "1/", "cat.jpg"]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("${{inputs.cats}}", ["command[1]: is '${{inputs.cats}}', and inputs has no 'cats'; there are pets"]),
        ("${{parameters.lr}}", ["command[1]: is '${{parameters.lr}}', and parameters has no 'lr'; there are rate"]),
        ("${{inputs.pets}} ${{parameters.rate}}", []),
    ],
)
def test_placeholders_must_name_what_there_is(
    given: dict[str, Any], pets: pathlib.Path, word: str, told: list[str]
) -> None:
    """Also where the values of what they name are not known yet."""
    given |= {"command": ["python", word], "inputs": {"pets": {"path": str(pets)}}, "parameters": {"rate": UNKNOWN}}

    assert tell(given) == told


def test_parameters_are_part_of_the_run_as_text(given: dict[str, Any]) -> None:
    """As the command is given them; one that is not known yet hides the run."""
    spec = make_spec({**given, "parameters": {"lr": 0.01, "epochs": 3, "fast": True, "name": "x"}})
    unknown = inputs.check({**given, "parameters": {"lr": UNKNOWN}}, open_fake)

    assert spec.parameters == {"lr": "0.01", "epochs": "3", "fast": "true", "name": "x"}
    assert inputs.read_spec("train", unknown.values) is None


def test_workers_that_are_not_known_yet_hide_the_run(given: dict[str, Any]) -> None:
    """How many there are is part of the fingerprint."""
    checked = inputs.check({**given, "distribution": {"workers": UNKNOWN}}, open_fake)

    assert checked.problems == ()
    assert inputs.read_spec("train", checked.values) is None


def test_a_variable_of_the_workers_is_reserved(given: dict[str, Any]) -> None:
    """Where there are several; secret or not."""
    variables = {"RANK": "0", "WORLD_SIZE": Secret("2")}

    assert find_paths({**given, "environmentVariables": variables}) == []
    assert find_paths({**given, "environmentVariables": variables, "distribution": {"workers": 2.0}}) == [
        "environment_variables['RANK']",
        "environment_variables['WORLD_SIZE']",
    ]


def test_everything_is_read_into_the_spec(given: dict[str, Any], pets: pathlib.Path) -> None:
    """From what the engine keeps, in which every number is a float."""
    full = {
        **given,
        "imageIdentity": "key",
        "imageParts": {"Dockerfile": "1"},
        "environmentVariables": {"A": "1", "TOKEN": Secret("hunter2")},
        "parameters": {"lr": 0.01},
        "inputs": {"pets": {"path": str(pets)}},
        "outputs": {"model": {"mode": "upload"}},
        "identity": "managed",
        "distribution": {"workers": 2},
        "triggers": {"again": "1"},
        "cpus": 1.5,
        "memoryGb": 4,
        "timeoutMinutes": 30,
        "experiment": "pets",
        "displayName": "Pets",
        "tags": {"cost": "7"},
    }

    spec = make_spec(full)

    assert spec == RunSpec(
        name="train",
        source_digest=source.take_snapshot(given["source"]).digest,
        command=("python", "train.py"),
        image="image:1",
        image_identity="key",
        environment={"A": "1"},
        secrets={"TOKEN": "hunter2"},
        parameters={"lr": "0.01"},
        inputs={"pets": RunInput(path=str(pets), version=source.take_data_snapshot(pets).digest)},
        outputs={"model": RunOutput(mode="upload")},
        identity="managed",
        workers=2,
        triggers={"again": "1"},
        resources=Resources(cpus=1.5, memory_gb=4),
        timeout_minutes=30,
        experiment="pets",
        display_name="Pets",
        tags={"cost": "7"},
    )
    assert isinstance(spec.workers, int)


def test_what_is_left_out_is_the_default(given: dict[str, Any]) -> None:
    """The same run as with the defaults written out."""
    spec = make_spec(given)
    written = make_spec(
        {
            **given,
            "environmentVariables": {},
            "parameters": {},
            "inputs": {},
            "outputs": {},
            "distribution": {"workers": 1},
            "triggers": {},
            "experiment": "Default",
            "displayName": "train",
            "gpus": 0,
        }
    )

    assert spec == written
    assert (spec.workers, spec.experiment, spec.display_name) == (1, "Default", "train")


def test_what_does_not_count_may_be_unknown(given: dict[str, Any]) -> None:
    """Preview knows the run all the same."""
    unknown = dict.fromkeys(
        ("cpus", "memoryGb", "gpus", "timeoutMinutes", "experiment", "displayName", "tags", "retries", "wait"), UNKNOWN
    )
    checked = inputs.check({**given, **unknown}, open_fake)
    spec = inputs.read_spec("train", checked.values)

    assert checked.problems == ()
    assert spec is not None
    assert spec.run_id == make_spec(given).run_id
    assert inputs.read_policy(checked.values) == Policy()


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({}, Policy()),
        ({"wait": True, "retries": 0.0, "onInterrupt": "detach", "requireMetrics": []}, Policy()),
        (
            {
                "wait": False,
                "retries": 2.0,
                "retryOn": ["Failed"],
                "onInterrupt": "cancel",
                "requireMetrics": ["a > 1"],
            },
            Policy(wait=False, retries=2, retry_on=("Failed",), on_interrupt="cancel", require_metrics=("a > 1",)),
        ),
    ],
)
def test_the_policy_is_read(values: dict[str, Any], policy: Policy) -> None:
    """What is left out is the default."""
    assert inputs.read_policy(values) == policy


@pytest.mark.parametrize("key", ["environmentVariables", "cpus", "tags"])
def test_a_secret_of_nothing_is_nothing(given: dict[str, Any], key: str) -> None:
    """As programs in other languages may send one."""
    assert tell({**given, key: Secret(None)}) == []


def test_an_image_that_is_a_secret_of_nothing_is_missing(given: dict[str, Any]) -> None:
    """It is required."""
    assert tell({**given, "image": Secret(None)}) == ["image: is missing"]


def test_the_path_of_data_holds_no_nul(given: dict[str, Any]) -> None:
    """No file system has one, and Python refuses to ask for it."""
    assert tell({**given, "inputs": {"pets": {"path": "/a\0b"}}}) == [
        "inputs['pets']: holds a NUL character, which no path can have; remove it"
    ]
