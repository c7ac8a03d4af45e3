from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import aml_infra
from aml_infra import spec as specs
from aml_infra.backends import docker_request
from aml_infra.components import training_job
from aml_infra.spec import RunInput, RunOutput, RunSpec
from tests.unit.docs import documents

TEXT = documents.read("docs/reference.md")
SECTIONS = {
    name: (head, section)
    for head, section in documents.list_sections(TEXT).items()
    for name in head.split(", ")
    if name in aml_infra.__all__
}
PUBLIC = [getattr(aml_infra, name) for name in aml_infra.__all__]
ARGUMENTS = [each for each in PUBLIC if dataclasses.is_dataclass(each)]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "validate": aml_infra.validate,
    "Registry.external": aml_infra.Registry.external,
}


def find_section(name: str) -> str:
    """The section about ``name``."""
    return SECTIONS[name][1] if name in SECTIONS else documents.list_sections(TEXT)[name]


def write_default(default: object) -> str:
    """A default as the tables have it."""
    if default is dataclasses.MISSING or default is inspect.Parameter.empty:
        return "required"
    return f'"{default}"' if isinstance(default, str) else repr(default)


def write_type(annotation: str) -> str:
    """A type as the tables have it."""
    return annotation.replace("pulumi.ResourceHook", "ResourceHook").replace("pulumi.", "").strip("'")


def list_outputs(component: type) -> dict[str, str]:
    """The type of each output of a component, by its attribute."""
    found = {name: str(kind) for name, kind in vars(component).get("__annotations__", {}).items()}
    found |= {
        name: str(inspect.get_annotations(value.fget)["return"])
        for name, value in vars(component).items()
        if isinstance(value, property) and value.fget is not None
    }
    return {name: write_type(kind) for name, kind in found.items()}


def test_every_public_name_has_a_section() -> None:
    """And only one, under a heading that names it."""
    assert sorted(SECTIONS) == aml_infra.__all__
    heads = [name for head in documents.list_sections(TEXT) for name in head.split(", ") if name in SECTIONS]
    assert sorted(heads) == aml_infra.__all__


@pytest.mark.parametrize("name", aml_infra.__all__)
def test_every_section_has_a_program_with_its_names(name: str) -> None:
    """What is described is shown in use."""
    programs = documents.list_blocks(find_section(name), "python")

    assert any(name in program.text for program in programs)


@pytest.mark.parametrize("args", ARGUMENTS, ids=lambda args: args.__name__)
def test_every_field_is_in_its_table(args: Any) -> None:
    """In the order of the code, with its type and its default."""
    rows = documents.read_table(find_section(args.__name__), "argument")
    fields = dataclasses.fields(args)

    assert list(rows) == [field.name for field in fields]
    for field in fields:
        default = "{}" if field.default_factory is dict else write_default(field.default)
        assert documents.unquote(rows[field.name]["default"]) == default, field.name
        assert documents.unquote(rows[field.name]["type"]) == write_type(str(field.type)), field.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_of_a_function_is_in_its_table(name: str) -> None:
    """Likewise."""
    rows = documents.read_table(find_section(name), "argument")
    parameters = inspect.signature(FUNCTIONS[name]).parameters

    assert list(rows) == list(parameters)
    for argument, parameter in parameters.items():
        assert documents.unquote(rows[argument]["default"]) == write_default(parameter.default)
        assert documents.unquote(rows[argument]["type"]) == write_type(str(parameter.annotation))


@pytest.mark.parametrize(
    "name",
    [
        "AksCluster",
        "GpuCluster",
        "KubernetesCluster",
        "KubernetesCompute",
        "Registry",
        "TrainingImage",
        "TrainingJob",
        "TrainingRun",
        "Workspace",
    ],
)
def test_every_output_is_in_its_table(name: str) -> None:
    """With its type."""
    rows = documents.read_table(find_section(name), "output")

    written = {output: write_type(documents.unquote(row["type"])) for output, row in rows.items()}
    assert written == list_outputs(getattr(aml_infra, name))


def test_a_job_has_the_outputs_of_its_run() -> None:
    """The two tables, and what the component copies, are one list."""
    job, run = (documents.read_table(find_section(name), "output") for name in ("TrainingJob", "TrainingRun"))

    assert set(job) - {"run"} == set(run) == set(training_job.OUTPUTS)


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_every_public_member_is_named(public: Any) -> None:
    """What is not private is told somewhere in the section, as code."""
    section = find_section(public.__name__)
    members = [name for name in (vars(public) if inspect.isclass(public) else {}) if not name.startswith("_")]

    for name in set(members) - {"find_problems"}:
        assert any(f"{before}{name}" in section for before in ("`", ".")), name


def test_the_variables_of_a_run_are_those_that_it_gets() -> None:
    """Of one that uses everything."""
    spec = RunSpec(
        name="train",
        source_digest="s",
        command=("python",),
        image="image",
        image_identity="sha256:1",
        inputs={"digits": RunInput(path="/data/digits.csv", version="1")},
        outputs={"model": RunOutput()},
        parameters={"lr": "0.01"},
        workers=2,
    )
    given = {
        text.partition("=")[0]
        for framework in ("pytorch", "tensorflow")
        for container in docker_request.build_request(dataclasses.replace(spec, framework=framework), 1)["containers"]
        for text in container["Env"]
    }

    rows = documents.read_table(documents.list_sections(TEXT)["What a run is given"], "variable")
    written = {documents.unquote(name) for cell in rows for name in cell.split(", ")}

    assert written == given >= set(specs.build_worker_variables("pytorch", 0, ["a", "b"], 1))


def test_every_setting_of_a_stack_is_in_its_table(settings: types.ModuleType) -> None:
    """With its default, in YAML's words."""
    tables = {
        head.removeprefix("aml-infra:"): documents.read_table(section, "setting")
        for head, section in documents.list_sections(TEXT, level=3).items()
        if head.startswith("aml-infra:")
    }

    assert list(tables) == list(settings.sections.SECTIONS)
    for name, rows in tables.items():
        fields: Mapping[str, Any] = settings.sections.SECTIONS[name].model_fields
        assert list(rows) == list(fields), name
        for setting, field in fields.items():
            default = "required" if field.is_required() else write_setting(field.default)
            assert documents.unquote(rows[setting]["default"]) == default, setting


def write_setting(default: object) -> str:
    """A setting's default as the tables have it."""
    if default is None:
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)
