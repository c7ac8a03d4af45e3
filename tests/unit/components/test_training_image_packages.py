from __future__ import annotations

import hashlib
import pathlib

import pytest

from aml_infra import InvalidInput, Problem
from aml_infra.components.training_image_packages import (
    CONDA_ID,
    PIP_ID,
    Packages,
    find_conda_problems,
    find_pip_problems,
    read_packages,
)

CONDA = "dependencies:\n  - python=3.12\n  - pip:\n      - fastai==2.7.19\n"


def read(
    conda: pathlib.Path | None = None, pip: pathlib.Path | None = None, *, secrets: tuple[str, ...] = ()
) -> Packages:
    """The packages of the files."""
    return read_packages(conda, pip, secrets, None)


def test_files_are_secrets_of_the_build_and_their_digests_are_known(tmp_path: pathlib.Path) -> None:
    """So that nothing of them is in the image, and a changed one builds again."""
    (tmp_path / "conda.yml").write_text(CONDA)
    (tmp_path / "requirements.txt").write_text("fastai\n")

    packages = read(tmp_path / "conda.yml", tmp_path / "requirements.txt")

    assert packages.files == {CONDA_ID: CONDA, PIP_ID: "fastai\n"}
    assert packages.digests == {
        "conda_file": hashlib.sha256(CONDA.encode()).hexdigest(),
        "pip_requirements": hashlib.sha256(b"fastai\n").hexdigest(),
    }


def test_conda_comes_first_and_its_environment_on_path() -> None:
    """Pip installs into it."""
    instructions = Packages(conda=CONDA, pip="fastai\n").build_instructions({})

    assert [instruction.partition(" ")[0] for instruction in instructions] == ["RUN", "ENV", "RUN"]
    assert instructions[1].startswith("ENV PATH=/opt/aml-infra/conda/bin:$PATH ")


def test_the_digest_is_in_the_text() -> None:
    """BuildKit does not compare secrets."""
    (instruction,) = Packages(pip="fastai\n").build_instructions({"pip_requirements": "0123"})

    assert ": 0123; " in instruction


def test_secrets_are_variables_while_packages_are_installed() -> None:
    """As an index that wants a password does; the value is read where it is used."""
    (instruction,) = Packages(pip="fastai\n", secrets=("PIP_INDEX_URL",), host_ca="ca").build_instructions({})

    assert "--mount=type=secret,id=PIP_INDEX_URL," in instruction
    assert "PIP_INDEX_URL=$(cat /run/secrets/PIP_INDEX_URL); export PIP_INDEX_URL" in instruction
    assert "export PIP_CERT=/run/secrets/ca" in instruction


def test_every_problem_of_both_files_is_told(tmp_path: pathlib.Path) -> None:
    """With the property that names the file, its path, and the fix."""
    (tmp_path / "requirements.txt").write_bytes(b"\xff")

    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "nowhere.yml", tmp_path / "requirements.txt")

    missing, unreadable = caught.value.problems
    assert missing == Problem(
        "conda_file", f"{str(tmp_path / 'nowhere.yml')!r} does not exist; give the path of the file"
    )
    assert unreadable.path == "pip_requirements"
    assert unreadable.message.endswith("give a text file in UTF-8")


def test_a_folder_is_no_file(tmp_path: pathlib.Path) -> None:
    """The message says where the file may be."""
    with pytest.raises(InvalidInput, match=r"pip_requirements: .* is a folder; give the path of the file in it"):
        read(pip=tmp_path)


def test_what_buildkit_takes_for_no_secret_is_told(tmp_path: pathlib.Path) -> None:
    """Its limit, and the way around it."""
    (tmp_path / "requirements.txt").write_text("fastai\n" * 100_000)

    with pytest.raises(InvalidInput, match="has 700000 bytes; allowed are 512000"):
        read(pip=tmp_path / "requirements.txt")


def test_a_secret_must_be_a_name_of_a_variable(tmp_path: pathlib.Path) -> None:
    """Where packages are installed it becomes one."""
    (tmp_path / "requirements.txt").write_text("fastai\n")

    with pytest.raises(InvalidInput, match=r"build_secrets\['pip-index'\]: is not the name of an environment variable"):
        read(pip=tmp_path / "requirements.txt", secrets=("pip-index",))
    assert read(secrets=("pip-index",)) == Packages(secrets=("pip-index",))


@pytest.mark.parametrize(
    "text",
    [
        "fastai==2.7.19\n",
        "# comment\n\ntorch>=2 ; python_version > '3.8'  # why\n",
        "--index-url https://example.com/simple\nfastai\n",
        "fastai @ https://example.com/fastai-1.0-py3-none-any.whl\n",
        "iniconfig==2.0.0 \\\n    --hash=sha256:0123\n",
    ],
)
def test_requirements_of_packages_are_taken(text: str) -> None:
    """Comments, markers, options and URLs among them."""
    assert find_pip_problems(text) == []


@pytest.mark.parametrize(
    "line", ["-r other.txt", "-c limits.txt", "-e .", "--requirement=other.txt", "./wheels/x.whl", "x @ file:///x.whl"]
)
def test_another_file_is_refused_with_its_line(line: str) -> None:
    """The build has this one only."""
    (problem,) = find_pip_problems(f"fastai\n{line}\n")

    assert problem.startswith(f"names another file in line 2, {line!r}, which the build does not have")


def test_the_account_of_a_url_is_not_shown() -> None:
    """It has a password in it."""
    (problem,) = find_pip_problems("-r https://me:hunter2@example.com/r.txt\n")

    assert "//***@example.com" in problem


def test_requirements_must_name_a_package() -> None:
    """An empty file is a mistake."""
    assert [problem.partition(";")[0] for problem in find_pip_problems("# none\n--pre\n")] == ["names no package"]


def test_a_conda_file_is_taken() -> None:
    """With pip's list in it."""
    assert find_conda_problems(CONDA) == []


def test_the_text_around_a_mistake_in_yaml_is_not_shown() -> None:
    """It may hold a password."""
    (problem,) = find_conda_problems("channels:\n  - https://me:hunter2@example.com: [\n")

    assert problem.startswith("is not YAML (in line 3: while parsing a flow node ")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a: [", "is not YAML ("),
        ("- python\n", "has no list `dependencies`"),
        ("dependencies: []\n", "has no list `dependencies`"),
        ("dependencies: [5]\n", "has the dependency 5; allowed are"),
        ("dependencies:\n  - pip: [-r other.txt]\n", "names another file in line 1, '-r other.txt'"),
    ],
)
def test_a_bad_conda_file_is_told(text: str, start: str) -> None:
    """What is wrong, and what is allowed."""
    (problem,) = find_conda_problems(text)

    assert problem.startswith(start)
