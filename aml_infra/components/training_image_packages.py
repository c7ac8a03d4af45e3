"""Packages on top of a base image: a Conda file, pip requirements, and the Dockerfile that installs them.

The files come into the build as build secrets, as the image contract does: no folder is sent to the builder, and
nothing is left in the image. BuildKit's cache does not see secrets, so the Dockerfile's text has a digest of the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import yaml

from aml_infra.errors import InvalidInput, Problem

PIP_ID = "aml-infra-requirements.txt"
CONDA_ID = "aml-infra-conda.yml"
"""Ids of the build secrets that bring the files in; Conda goes by the ending of the name."""

CONDA_PREFIX = "/opt/aml-infra/conda"
"""Where the Conda environment is in the image."""

MAX_BYTES = 500 * 1024
"""BuildKit's limit for a build secret."""

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCOUNT = re.compile(r"//[^\s/]*@")
_OTHER_FILE = re.compile(
    r"-[rce]\s*[^-\s]|--(?:requirement|constraint|editable)\b|(?:-f|--find-links)[\s=]*(?!https?:)\S"
    r"|\.{0,2}/|\.(?:\[|$)|file:|\S+\s*@\s*file:"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Packages:
    """What is installed on top of a base image.

    Attributes:
        conda: text of the Conda file; None without one.
        pip: text of the pip requirements; None without any.
        secrets: ids of build secrets that are environment variables while packages are installed.
        host_ca: id of the build secret with this machine's CAs.
    """

    conda: str | None = None
    pip: str | None = None
    secrets: Sequence[str] = ()
    host_ca: str | None = None

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by the name of the argument that names it."""
        texts = {"conda_file": self.conda, "pip_requirements": self.pip}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items() if text is not None}

    @property
    def files(self) -> dict[str, str]:
        """The files as build secrets."""
        texts = {CONDA_ID: self.conda, PIP_ID: self.pip}
        return {name: text for name, text in texts.items() if text is not None}

    def build_instructions(self, digests: Mapping[str, str]) -> list[str]:
        """The instructions that install the packages, with ``digests`` of the files in their text."""
        instructions = []
        if self.conda is not None:
            install = f"conda env create --quiet --prefix {CONDA_PREFIX} --file /run/secrets/{CONDA_ID}"
            steps = [f"{install}; conda clean --all --yes --quiet"]
            instructions.append(self._build_run(CONDA_ID, digests.get("conda_file", ""), steps))
            instructions.append(f"ENV PATH={CONDA_PREFIX}/bin:$PATH CONDA_PREFIX={CONDA_PREFIX}")
        if self.pip is not None:
            steps = [
                "python=$(command -v python || command -v python3) || python=python",
                '"$python" -m pip --version || { echo "the base image has no pip; install it there"; exit 1; }',
                f'"$python" -m pip install --no-input --requirement /run/secrets/{PIP_ID}',
            ]
            instructions.append(self._build_run(PIP_ID, digests.get("pip_requirements", ""), steps))
        return instructions

    def _build_run(self, file: str, digest: str, steps: Sequence[str]) -> str:
        mounts = [f"--mount=type=secret,id={file},required=true,mode=0444"]
        # What pip has downloaded stays with the builder, not in the image.
        mounts.append("--mount=type=cache,target=/var/cache/aml-infra/pip,id=aml-infra-pip,mode=0777")
        mounts += [f"--mount=type=secret,id={name},mode=0444" for name in [*self.secrets, self.host_ca] if name]
        lines = [
            f": {digest}",
            "set -eu",
            # An image belongs to its packages: there is no system to protect from pip.
            "export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1",
            "export PIP_CACHE_DIR=/var/cache/aml-infra/pip",
        ]
        lines += [
            f"if [ -e /run/secrets/{name} ]; then {name}=$(cat /run/secrets/{name}); export {name}; fi"
            for name in self.secrets
        ]
        if self.host_ca is not None:
            path = f"/run/secrets/{self.host_ca}"
            lines.append(f"if [ -s {path} ]; then export PIP_CERT={path} CONDA_SSL_VERIFY={path}; fi")
        return "RUN " + " \\\n    ".join([*mounts, "; \\\n    ".join([*lines, *steps])])


def read_packages(
    conda_file: str | os.PathLike[str] | None,
    pip_requirements: str | os.PathLike[str] | None,
    secrets: Iterable[str],
    host_ca: str | None,
) -> Packages:
    """The packages that the files name.

    Raises:
        InvalidInput: with everything that is wrong with the files.
    """
    problems: list[Problem] = []
    conda = _read("conda_file", conda_file, find_conda_problems, problems)
    pip = _read("pip_requirements", pip_requirements, find_pip_problems, problems)
    secrets = sorted(secrets)
    problems += [
        Problem(
            f"build_secrets[{name!r}]",
            "is not the name of an environment variable, which it is while packages are installed, as in PIP_INDEX_URL",
        )
        for name in secrets
        if (conda_file is not None or pip_requirements is not None) and not _ENVIRONMENT_NAME.fullmatch(name)
    ]
    if problems:
        raise InvalidInput(problems)
    return Packages(conda=conda, pip=pip, secrets=tuple(secrets), host_ca=host_ca)


def _read(
    name: str,
    given: str | os.PathLike[str] | None,
    find_problems: Callable[[str], list[str]],
    problems: list[Problem],
) -> str | None:
    if given is None:
        return None
    path = pathlib.Path(os.path.abspath(given))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        found = ["does not exist; give the path of the file"]
    except IsADirectoryError:
        found = ["is a folder; give the path of the file in it"]
    except (OSError, UnicodeDecodeError) as error:
        found = [f"cannot be read ({error}); give a text file in UTF-8"]
    else:
        size = len(text.encode())
        found = find_problems(text)
        if size > MAX_BYTES:
            found.append(f"has {size} bytes; allowed are {MAX_BYTES}; install these packages in a dockerfile")
        if not found:
            return text
    problems += [Problem(name, f"{str(path)!r} {what}") for what in found]
    return None


def find_pip_problems(text: str) -> list[str]:
    """What is wrong with the text of a requirements file: it must name packages, and no other file."""
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    wanted = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    problems = [
        f"names another file in line {number}, {_ACCOUNT.sub('//***@', line)!r}, which the build does not have; "
        "put all requirements into this one, or use a dockerfile"
        for number, line in wanted
        if _OTHER_FILE.match(line)
    ]
    if all(line.startswith("-") for _, line in wanted) and not problems:
        problems.append("names no package; write one requirement per line, as in 'fastai==2.7.19', or leave it out")
    return problems


def find_conda_problems(text: str) -> list[str]:
    """What is wrong with the text of a Conda environment file: it must be one, and name no other file."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Without the text around the mistake, which may hold a password.
        what = " ".join(filter(None, [getattr(error, "context", ""), getattr(error, "problem", "")]))
        mark = getattr(error, "problem_mark", None)
        where = f"in line {mark.line + 1}: {what}" if mark is not None else str(error)
        return [f"is not YAML ({where}); see https://docs.conda.io for environment files"]
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    if not isinstance(dependencies, list) or not dependencies:
        return ["has no list `dependencies`; write what to install under it, as in `dependencies: [python=3.12]`"]
    problems = []
    for each in dependencies:
        if isinstance(each, dict) and isinstance(each.get("pip"), list):
            problems += find_pip_problems("\n".join(map(str, each["pip"])))
        elif not isinstance(each, str):
            problems.append(f"has the dependency {each!r}; allowed are texts as in 'python=3.12', and a list `pip`")
    return problems
