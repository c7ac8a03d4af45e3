from __future__ import annotations

from typing import Any

import pytest

from aml_infra.provider import diff, shapes
from aml_infra.provider.diff import Change, Kind
from aml_infra.provider.wire import UNKNOWN, Secret

INPUTS: dict[str, Any] = {
    "source": "/a",
    "sourceDigest": "d1",
    "sourceFiles": {"train.py": "1", "lib/a.py": "2"},
    "command": ["python", "train.py"],
    "image": "image:1",
    "imageIdentity": "sha256:1",
    "cpus": 2.0,
}


def compare(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Change]:
    """The changes between two sets of inputs of a run that completed, each laid over the same ones."""
    return diff.compare({**INPUTS, **old}, {**INPUTS, **new}, "Completed")


def test_equal_inputs_of_a_completed_run_have_no_diff() -> None:
    """Nothing changed, nothing to do."""
    assert diff.compare(INPUTS, dict(INPUTS), "Completed") == {}


def test_paths_and_image_names_are_not_compared() -> None:
    """Another checkout, or another name of the same image, is not another run."""
    assert diff.compare(INPUTS, {**INPUTS, "source": "/b", "image": "image:2"}, "Completed") == {}


def test_changed_files_are_named_each_with_its_kind() -> None:
    """Edited, added and removed files are told apart, and what did not change is not named."""
    new = {**INPUTS, "sourceDigest": "d2", "sourceFiles": {"train.py": "3", 'a"b.py': "4"}}

    assert diff.compare(INPUTS, new, "Completed") == {
        'sourceFiles["a\\"b.py"]': Change(Kind.ADD, replaces=True),
        'sourceFiles["lib/a.py"]': Change(Kind.DELETE, replaces=True),
        'sourceFiles["train.py"]': Change(Kind.UPDATE, replaces=True),
    }


def test_a_name_that_the_engine_cannot_quote_is_told_by_its_map() -> None:
    """Its paths have an escape for the quote only, so that a backslash at the end would open the string again."""
    files = {**INPUTS["sourceFiles"], "odd\\": "1", "a\\b": "2"}
    new = {**INPUTS, "sourceDigest": "d2", "sourceFiles": files}

    assert list(diff.compare(INPUTS, new, "Completed")) == ['sourceFiles["a\\b"]', "sourceFiles"]


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("cpus", 2.0, 4.0),
        ("memoryGb", 2.0, 4.0),
        ("gpus", 1.0, 2.0),
        ("timeoutMinutes", 5.0, 10.0),
        ("experiment", "pets", "cats"),
        ("displayName", "Pets", "Cats"),
        ("identity", "user", "managed"),
        ("requireMetrics", ["accuracy > 0.8"], ["accuracy > 0.9"]),
        ("retries", 1.0, 2.0),
        ("retryOn", ["Failed"], ["TimedOut"]),
        ("wait", True, False),
        ("onInterrupt", "detach", "cancel"),
        ("onDestroy", "cancel", "retain"),
    ],
)
def test_what_no_finished_run_is_repeated_for_changes_in_place(key: str, old: Any, new: Any) -> None:
    """The next attempt uses it: a bigger machine, another name, another policy."""
    assert compare({key: old}, {key: new}) == {key: Change(Kind.UPDATE, replaces=False)}


def test_tags_change_in_place_each_by_its_name() -> None:
    """As every map."""
    assert compare({"tags": {"a": "1"}}, {"tags": {"a": "2", "b": "1"}}) == {
        'tags["a"]': Change(Kind.UPDATE, replaces=False),
        'tags["b"]': Change(Kind.ADD, replaces=False),
    }


def test_another_place_of_an_output_makes_a_new_run_and_another_way_there_does_not() -> None:
    """A name and a place are what was asked for; a mode is how the service does it."""
    old = {"model": {"path": "azureml://datastores/a/paths/b"}, "log": {}}
    new = {"model": {"path": "azureml://datastores/a/paths/c", "mode": "upload"}, "log": {"mode": "mount"}, "more": {}}

    assert compare({"outputs": old}, {"outputs": new}) == {
        'outputs["model"]["path"]': Change(Kind.UPDATE, replaces=True),
        'outputs["model"]["mode"]': Change(Kind.ADD, replaces=False),
        'outputs["more"]': Change(Kind.ADD, replaces=True),
    }


def test_new_maps_and_lists_are_named_whole() -> None:
    """A property that was not there is added."""
    new = {**INPUTS, "triggers": {"again": "1"}, "command": ["python", "other.py"]}

    assert diff.compare(INPUTS, new, "Completed") == {
        "command": Change(Kind.UPDATE, replaces=True),
        "triggers": Change(Kind.ADD, replaces=True),
    }


def test_a_run_that_did_not_complete_is_taken_up_again() -> None:
    """With equal inputs, the status itself is the reason to update."""
    assert diff.compare(INPUTS, dict(INPUTS), "Failed") == {
        "status": Change(Kind.UPDATE, replaces=False, of_input=False)
    }


def test_a_digest_that_differs_counts_though_the_summary_does_not() -> None:
    """The whole digest decides, the summary explains."""
    assert list(diff.compare(INPUTS, {**INPUTS, "sourceDigest": "d2"}, "Completed")) == ["sourceDigest"]


def test_every_property_is_compared_or_known_not_to_be() -> None:
    """One that is forgotten would change without effect."""
    explained = {"source", "inputs", "image", "imageParts", "allowSecrets"}

    assert {*diff.NEW_RUN, *diff.IN_PLACE, *explained} - {*diff.DIGESTS.values()} == set(shapes.SHAPES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"environmentVariables": {}}, {}),
        ({}, {"parameters": {}, "inputs": {}, "inputDigests": {}, "inputFiles": {}, "tags": {}, "requireMetrics": []}),
        ({}, {"backend": "docker", "backendOptions": {}}),
        ({"distribution": {"workers": 1.0}}, {}),
        ({}, {"distribution": {"workers": 1}}),
        ({"distribution": {"workers": 2.0}}, {"distribution": {"workers": 2}}),
        (
            {"distribution": {"workers": 2}},
            {"distribution": {"workers": 2, "framework": "pytorch", "processesPerWorker": 1.0}},
        ),
        ({}, {"distribution": {"workers": 1, "framework": "mpi"}}),
        ({"imageParts": {"Dockerfile": "1"}}, {"imageParts": {"Dockerfile": "2"}}),
        ({"allowSecrets": ["*.pem"]}, {}),
        ({"inputs": {"pets": {"path": "/a"}}}, {"inputs": {"pets": {"path": "/b"}}}),
        ({"inputs": {"pets": {"path": "/a"}}}, {"inputs": {"pets": {"path": "/a", "type": "folder", "mode": "mount"}}}),
        ({"inputs": {"pets": {"path": "/a"}}}, {"inputs": UNKNOWN}),
        ({"inputs": {"pets": {"path": "/a", "mode": "download"}}}, {"inputs": {"pets": UNKNOWN}}),
        ({"inputs": {"pets": {"path": "/a", "mode": "download"}}}, {"inputs": {"cats": {"path": "/a"}}}),
    ],
)
def test_what_is_the_same_run_has_no_diff(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Empty maps, defaults that are written out, places of this machine, and what only explains a change."""
    assert compare(old, new) == {}


@pytest.mark.parametrize(
    "default",
    [
        {"onDestroy": "cancel"},
        {"onInterrupt": "detach"},
        {"wait": True},
        {"retries": 0.0},
        {"retryOn": ["NotResponding"]},
        {"gpus": 0.0},
        {"experiment": "Default"},
    ],
)
def test_a_default_that_is_written_out_is_no_change(default: dict[str, Any]) -> None:
    """Nor is one that is left out again."""
    assert compare({}, default) == {}
    assert compare(default, {}) == {}


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1.0, "1"), (True, "true"), (0.5, "0.5"), (3, 3), (1e16, "1e+16")])
def test_parameters_that_are_the_same_text_are_the_same(old: Any, new: Any) -> None:
    """The command is given text, and the engine has no whole numbers."""
    assert compare({"parameters": {"a": old}}, {"parameters": {"a": new}}) == {}


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, "1.0"), (0.1, 0.2), (1.0, UNKNOWN)])
def test_parameters_that_differ_are_named(old: Any, new: Any) -> None:
    """Each by its name; one that is not known yet may differ."""
    changes = compare({"parameters": {"a": old, "b": "x"}}, {"parameters": {"a": new, "b": "x"}})

    assert changes == {'parameters["a"]': Change(Kind.UPDATE, replaces=True)}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"T": Secret("a")}, {"T": Secret("b")}, None),
        ({"T": Secret("a")}, {"T": Secret(UNKNOWN)}, None),
        ({"T": Secret("a")}, {"T": Secret("a"), "U": Secret("b")}, Kind.ADD),
        ({"T": Secret("a"), "U": Secret("b")}, {"T": Secret("a")}, Kind.DELETE),
        ({"U": "b"}, {"U": Secret("b")}, Kind.UPDATE),
        ({"U": Secret("b")}, {"U": "b"}, Kind.UPDATE),
    ],
)
def test_of_secrets_only_the_names_count(old: dict[str, Any], new: dict[str, Any], kind: Kind | None) -> None:
    """A rotated password trains nothing; one more, one less, or one that is no secret any more is another run."""
    changes = compare({"environmentVariables": old}, {"environmentVariables": new})

    assert changes == ({} if kind is None else {'environmentVariables["U"]': Change(kind, replaces=True)})


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("command", ["a"], ["b"]),
        ("imageIdentity", "sha256:1", "sha256:2"),
        ("distribution", None, {"workers": 2.0}),
        ("distribution", {"workers": 2.0}, {"workers": 3.0}),
        ("distribution", {"workers": 2.0}, {"workers": 2.0, "framework": "tensorflow"}),
        ("distribution", {"workers": 1.0}, {"workers": 1.0, "processesPerWorker": 2.0}),
        ("distribution", {"workers": 2.0}, {"workers": 2.0, "framework": UNKNOWN}),
        ("triggers", {"a": "1"}, {"a": "2"}),
        ("backend", "docker", "fake"),
        ("backendOptions", {"data_folder": "/a"}, {"data_folder": "/b"}),
        ("parameters", {"a": 1}, None),
    ],
)
def test_what_makes_another_run_replaces(key: str, old: Any, new: Any) -> None:
    """Whatever is in the fingerprint, and where it runs."""
    changes = compare({key: old} if old is not None else {}, {key: new} if new is not None else {})

    assert [path.partition("[")[0] for path in changes] == [key]
    assert all(change.replaces for change in changes.values())


@pytest.mark.parametrize("new", ["large", UNKNOWN])
def test_another_cluster_of_the_same_workspace_is_changed_in_place(new: Any) -> None:
    """Its name says its size, which is no part of what a run is; also before the other one is there."""
    place = {"workspace_name": "pets", "compute_name": "small"}

    changes = compare({"backendOptions": place}, {"backendOptions": {**place, "compute_name": new}})

    assert changes == {'backendOptions["compute_name"]': Change(Kind.UPDATE, replaces=False)}


@pytest.mark.parametrize("new", [{"workspace_name": "other", "compute_name": "large"}, UNKNOWN])
def test_another_workspace_is_another_place(new: Any) -> None:
    """Whatever the cluster in it is called."""
    place = {"workspace_name": "pets", "compute_name": "small"}

    changes = compare({"backendOptions": place}, {"backendOptions": new})

    assert any(change.replaces for change in changes.values())


NAMESPACE = {"context": "team", "namespace": "train", "claim": "outputs", "queue": "default"}


@pytest.mark.parametrize(
    "name",
    [
        "autoscaling",
        "node_selector",
        "pending_minutes",
        "priority_class",
        "pull_secret",
        "queue",
        "repository",
        "runtime",
        "service_account",
        "shared_memory_gb",
        "tolerations",
    ],
)
def test_other_nodes_of_the_same_cluster_are_changed_in_place(name: str) -> None:
    """Whether the option is given, changed or left out; what was trained stays where it is."""
    path = f'backendOptions["{name}"]'
    before = {key: value for key, value in NAMESPACE.items() if key != name}

    for old, new, kind in (("a", "b", Kind.UPDATE), (None, "b", Kind.ADD), ("a", None, Kind.DELETE)):
        options = [before if value is None else {**before, name: value} for value in (old, new)]
        changes = compare({"backendOptions": options[0]}, {"backendOptions": options[1]})
        assert changes == {path: Change(kind, replaces=False)}


@pytest.mark.parametrize("name", ["context", "aks_id", "namespace", "claim"])
def test_another_namespace_or_claim_is_another_place(name: str) -> None:
    """The records, or the outputs, of the run are not there."""
    changes = compare({"backendOptions": NAMESPACE}, {"backendOptions": {**NAMESPACE, name: "other"}})

    assert [(path, change.replaces) for path, change in changes.items()] == [(f'backendOptions["{name}"]', True)]


def test_how_a_cluster_is_reached_is_not_compared() -> None:
    """Each machine has its login in a place of its own."""
    given = {**NAMESPACE, "kubeconfig": "/home/me/.kube/config"}

    for old, new in ((given, NAMESPACE), (NAMESPACE, given), (given, {**given, "kubeconfig": "/ci/kubeconfig"})):
        assert compare({"backendOptions": old}, {"backendOptions": new}) == {}


def test_the_parts_of_an_image_are_named_where_it_is_another() -> None:
    """They say why; they decide nothing."""
    old = {"imageParts": {"Dockerfile": "1", "context/a.py": "1"}}
    new = {"imageIdentity": "sha256:2", "imageParts": {"Dockerfile": "2", "context/a.py": "1"}}

    assert compare(old, new) == {
        "imageIdentity": Change(Kind.UPDATE, replaces=True),
        'imageParts["Dockerfile"]': Change(Kind.UPDATE, replaces=True),
    }


def test_files_of_an_input_are_named() -> None:
    """By the input's name, and the file's."""
    old = {"inputDigests": {"pets": "1"}, "inputFiles": {"pets": {"a.jpg": "1", "b.jpg": "1"}}}
    new = {"inputDigests": {"pets": "2"}, "inputFiles": {"pets": {"a.jpg": "2", "b.jpg": "1"}}}

    assert compare(old, new) == {'inputFiles["pets"]["a.jpg"]': Change(Kind.UPDATE, replaces=True)}


def test_an_input_that_is_new_is_named() -> None:
    """Whole, or beside the others."""
    one = {"inputDigests": {"a": "1"}, "inputFiles": {"a": {"x": "1"}}}
    two = {"inputDigests": {"a": "1", "b": "1"}, "inputFiles": {"a": {"x": "1"}, "b": {"y": "1"}}}

    assert compare({}, one) == {"inputFiles": Change(Kind.ADD, replaces=True)}
    assert compare(one, two) == {'inputFiles["b"]': Change(Kind.ADD, replaces=True)}


def test_how_data_comes_is_changed_in_place() -> None:
    """The next attempt uses it."""
    old = {"inputs": {"pets": {"path": "azureml:pets:1", "version": "1", "mode": "download"}}}
    new = {"inputs": {"pets": {"path": "azureml:pets:1", "version": "1", "type": "file"}}}

    assert compare(old, new) == {
        'inputs["pets"]["type"]': Change(Kind.ADD, replaces=False),
        'inputs["pets"]["mode"]': Change(Kind.DELETE, replaces=False),
    }


def test_an_input_whose_summary_is_the_same_counts_by_its_digest() -> None:
    """As the source does."""
    old = {"inputDigests": {"pets": "1"}, "inputFiles": {"pets": {"a/": "1"}}}

    assert list(compare(old, {**old, "inputDigests": {"pets": "2"}})) == ["inputDigests"]


def test_inputs_of_an_imported_run_have_no_summary() -> None:
    """Their digests decide alone."""
    imported = {**INPUTS, "inputDigests": {"pets": "1"}}
    del imported["sourceFiles"]
    found = {**INPUTS, "inputDigests": {"pets": "1"}, "inputFiles": {"pets": {"a.jpg": "1"}}}

    assert diff.compare(imported, found, "Completed") == {}
    assert list(diff.compare(imported, {**found, "sourceDigest": "d2"}, "Completed")) == ["sourceFiles"]
    assert list(diff.compare(imported, {**found, "inputDigests": {"pets": "2"}}, "Completed")) == ["inputFiles"]


@pytest.mark.parametrize("status", ["Failed", "Canceled", "Running", None])
def test_a_change_is_told_instead_of_the_status(status: str | None) -> None:
    """The update that it makes takes the run up again anyway."""
    assert list(diff.compare(INPUTS, {**INPUTS, "retries": 2.0}, status)) == ["retries"]
