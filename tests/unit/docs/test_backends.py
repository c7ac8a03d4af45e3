from __future__ import annotations

import dataclasses
import json
import re

from aml_infra import backends
from aml_infra.backends import azureml, base, docker, fake, kubernetes
from tests.unit.docs import documents

TEXT = documents.read("docs/backends.md")


def test_every_guarantee_is_told() -> None:
    """Under the number that it has in the contract, with its reason and how each backend keeps it."""
    numbers = re.findall(r"^(\d)\. \*\*", base.__doc__ or "", re.MULTILINE)
    sections = documents.list_sections(TEXT, level=3)

    assert [head.partition(".")[0] for head in sections] == numbers
    for head, section in sections.items():
        assert "*Why.*" in section, head
        for name in backends.MODULES:
            assert f"- `{name}`: " in section, (head, name)


def test_every_test_of_the_contract_is_named() -> None:
    """Once, under the guarantee that it checks."""
    tests = re.findall(r"^def (test_\w+)", documents.read("tests/contract/test_backends.py"), re.MULTILINE)

    assert sorted(re.findall(r"`(test_\w+)`", TEXT)) == sorted(tests)


def test_every_method_and_option_is_named() -> None:
    """What a backend must have, and what it can be told."""
    for name in [
        *base.Backend.__abstractmethods__,
        *azureml.OPTIONS,
        *docker.OPTIONS,
        *fake.OPTIONS,
        *kubernetes.OPTIONS,
    ]:
        assert f"`{name}`" in TEXT or f".{name}(" in TEXT, name


def test_the_script_of_the_fake_is_in_its_table() -> None:
    """Each field with its default, as JSON has it."""
    rows = documents.read_table(TEXT, "field")
    fields = dataclasses.fields(fake.Script)

    assert list(rows) == [field.name for field in fields]
    for field in fields:
        default = {} if field.default_factory is dict else field.default
        assert documents.unquote(rows[field.name]["default"]) == json.dumps(default), field.name
