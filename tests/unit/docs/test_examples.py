from __future__ import annotations

import json
import pathlib
import re
import types

import pytest
import yaml

from tests.unit.components.engine import Engine
from tests.unit.docs import documents
from tests.unit.docs.conftest import FILES

GUIDES = [
    "docs/azure.md",
    "docs/backends.md",
    "docs/design.md",
    "docs/kubernetes.md",
    "docs/pipelines.md",
    "docs/reference.md",
    "docs/security.md",
]
PROGRAMS = [
    pytest.param(name, block, id=f"{name}:{block.line}")
    for name in GUIDES
    for block in documents.list_blocks(documents.read(name), "python")
]


def run(name: str, block: documents.Block, engine: Engine) -> None:
    """Runs a program; a traceback names the document and the line in it."""
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    engine.run(lambda: exec(code, {"__name__": "__main__"}))  # noqa: S102 (it is our own text)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(("name", "block"), PROGRAMS)
def test_a_program_in_the_documentation_runs(name: str, block: documents.Block, engine: Engine) -> None:
    """Whoever copies it has a program that works."""
    run(name, block, engine)


def test_the_program_in_the_readme_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the project's own folder, as its files are what it names."""
    monkeypatch.chdir(documents.ROOT)
    (block,) = documents.list_blocks(documents.read("README.md"), "python")

    run("README.md", block, engine)

    assert [resource.typ for resource in engine.resources if "Training" in resource.typ] == [
        "aml-infra:index:TrainingImage",
        "aml-infra:index:TrainingJob",
        "aml-infra:index:TrainingRun",
    ]


def test_the_files_of_the_programs_are_listed() -> None:
    """What the programs stand in is what the reader is told."""
    (block,) = documents.list_blocks(documents.read("docs/reference.md"), "text")

    assert [line.split()[0] for line in block.text.splitlines()] == list(FILES)


@pytest.mark.parametrize(
    ("index", "names", "secure"),
    [
        (0, ["compute", "image", "train"], {"aml-infra:train"}),
        (1, ["cluster", "image", "registry", "workspace"], set()),
        (2, ["image", "kubernetes", "train"], {"aml-infra:image"}),
    ],
    ids=["local", "azure", "kubernetes"],
)
def test_the_settings_in_the_reference_can_be_read(
    engine: Engine,
    settings: types.ModuleType,
    project: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    index: int,
    names: list[str],
    secure: set[str],
) -> None:
    """As the configuration of a stack on this machine, of one on Azure, and of one on Kubernetes."""
    block = documents.list_blocks(documents.read("docs/reference.md"), "yaml")[index]
    values = {key: json.dumps(section) for key, section in yaml.safe_load(block.text)["config"].items()}
    monkeypatch.setattr(settings.paths, "PROJECT_FOLDER", project)

    engine.run(lambda: settings.build_config("aml-infra", values, secure))

    assert sorted(values) == [f"aml-infra:{name}" for name in names]


@pytest.mark.parametrize("name", [*GUIDES, "README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    """To a file that there is, and to a heading that is in it; the web is not asked."""
    text = documents.read(name)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("https://")]

    for link in links:
        path, _, anchor = link.partition("#")
        target = (documents.ROOT / name).parent / path if path else documents.ROOT / name
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads], link


@pytest.mark.parametrize("name", [*GUIDES, "README.md", "CONTRIBUTING.md"])
def test_what_is_named_exists(name: str) -> None:
    """Every file of this repository that is written with its path or as a module."""
    named = re.findall(r"`((?:aml_infra|tests|stacks|docs|tools|examples)/[\w./-]*)`", documents.read(name))

    assert [path for path in named if not (documents.ROOT / path).exists()] == []
