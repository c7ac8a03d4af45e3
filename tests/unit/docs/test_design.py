from __future__ import annotations

import re

from aml_infra.backends import docker_request
from aml_infra.backends.base import Status
from aml_infra.provider import diff
from tests.unit.docs import documents

TEXT = documents.read("docs/design.md")


def test_what_makes_another_run_is_in_the_table() -> None:
    """Each input that replaces the resource, in the order of the code."""
    section = documents.list_sections(TEXT)["Identity"]

    assert list(documents.read_table(section, "input")) == list(diff.NEW_RUN)


def test_what_is_changed_in_place_is_listed() -> None:
    """Each input that the next attempt uses, and no other."""
    section = documents.list_sections(TEXT)["Identity"]
    sentence = section[section.index("Compared too, but in place") :].partition(". An update")[0]

    assert re.findall(r"`(\w+)`", sentence) == list(diff.IN_PLACE)


def test_options_that_are_no_place_are_listed() -> None:
    """Those that are compared in place, and those that are not compared."""
    rows = documents.list_tables(documents.list_sections(TEXT)["Identity"])[1]
    listed = [re.findall(r"`(\w+)`", row["options"]) for row in rows]

    assert sorted(listed[0]) == sorted(diff.SIZES)
    assert listed[1] == list(diff.ACCESS)


def test_the_labels_of_containers_are_listed() -> None:
    """What a person finds in `docker inspect`."""
    labels = {value for name, value in vars(docker_request).items() if name.endswith("_LABEL")}

    assert set(re.findall(r"`(aml-infra\.[\w-]+)`", TEXT)) == labels


def test_states_are_called_what_they_are() -> None:
    """In the picture and in the text."""
    named = set(re.findall(r"\b(?:Not[A-Z]\w+|Canceled|Completed|Queued|Running|TimedOut|Failed)\b", TEXT))

    assert named <= {status.value for status in Status}


def test_the_layers_are_those_that_are_checked() -> None:
    """Every module of the contract is in the picture."""
    layers = re.search(r"^layers = \[(.*?)^\]", documents.read("pyproject.toml"), re.MULTILINE | re.DOTALL)
    assert layers is not None
    section = documents.list_sections(TEXT)["Layers"]

    for module in re.findall(r"aml_infra\.\w+", layers[1]):
        assert module in section, module
