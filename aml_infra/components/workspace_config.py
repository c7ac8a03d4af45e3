"""The ``config.json`` that names a workspace to Azure's SDKs: found, read and written as they do."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator

from aml_infra import arguments, azure_names
from aml_infra.components import role_assignments
from aml_infra.errors import InvalidInput, Problem

FOLDERS = (".azureml", "aml_config", "")
"""Where a file may be in each of the folders that are looked through."""

LEVELS = 20
"""How many folders above the first one are looked through."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkspaceAddress:
    """What a ``config.json`` says.

    Attributes:
        subscription_id: id of the subscription; None where it is the one that Pulumi works in.
        resource_group: name of the resource group.
        workspace_name: name of the workspace.
    """

    subscription_id: str | None
    resource_group: str
    workspace_name: str

    def find_problems(self) -> list[Problem]:
        """What cannot be the name of anything."""
        return arguments.find_problems(
            self,
            WorkspaceAddress._find_rule_problems,
            stand_ins={"subscription_id": None, "resource_group": "", "workspace_name": ""},
        )

    def _find_rule_problems(self) -> list[Problem]:
        problems = []
        if self.subscription_id is not None and not role_assignments.is_guid(self.subscription_id):
            fix = "give the subscription's id, which `az account show --query id` shows"
            problems.append(Problem("subscription_id", f"is {self.subscription_id!r}; {fix}"))
        for path, kind, name in (
            ("resource_group", "resource_group", self.resource_group),
            ("workspace_name", "workspace", self.workspace_name),
        ):
            found = azure_names.find_name_problem(kind, name)
            if found is not None:
                problems.append(Problem(path, found))
        return problems


def find_config(path: str | os.PathLike[str]) -> pathlib.Path:
    """The file that ``path`` leads to: itself; or the nearest in or above it, if it is a folder or does not exist.

    Raises:
        InvalidInput: there is none.
    """
    given = pathlib.Path(os.path.abspath(path))
    if given.is_file():
        return given
    # A folder is looked through for the SDKs' two names; the path of a file that is not there, for that one.
    start, names = (given, ("config.json", "project.json")) if given.is_dir() else (given.parent, (given.name,))
    for folder, name in itertools.product(FOLDERS, names):
        for level in itertools.islice((start, *start.parents), LEVELS + 1):
            if (level / folder / name).is_file():
                return level / folder / name
    listed = " or ".join(names)
    fix = "download it from the workspace's page in the studio, or give its path"
    raise InvalidInput([Problem("path", f"{listed} is not in {str(start)!r} nor in a folder above; {fix}")])


def read_config(path: pathlib.Path) -> WorkspaceAddress:
    """What the file ``path`` says.

    Raises:
        InvalidInput: with everything that is wrong with it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InvalidInput([Problem("path", f"{str(path)!r} cannot be read ({error}); give a file in JSON")]) from error
    found = dict(_read_values(content))
    names = [field.name for field in dataclasses.fields(WorkspaceAddress)]
    missing = [name for name in names if name not in found]
    if missing:
        fix = "download it again from the workspace's page in the studio"
        raise InvalidInput([Problem("path", f"{str(path)!r} has no {', '.join(missing)}; {fix}")])
    address = WorkspaceAddress(**found)
    problems = address.find_problems()
    if problems:
        raise InvalidInput([Problem("path", f"{str(path)!r}: {each}") for each in problems])
    return address


def _read_values(content: object) -> Iterator[tuple[str, str]]:
    if not isinstance(content, dict):
        return
    # The older form has the workspace's id instead.
    scope = content.get("Scope")
    if isinstance(scope, str):
        words = scope.strip("/").split("/")
        names = {"subscriptions": "subscription_id", "resourcegroups": "resource_group", "workspaces": "workspace_name"}
        for kind, value in zip(words[::2], words[1::2], strict=False):
            if kind.lower() in names:
                yield names[kind.lower()], value
    for field in dataclasses.fields(WorkspaceAddress):
        if isinstance(content.get(field.name), str):
            yield field.name, content[field.name]


def write_text(address: WorkspaceAddress) -> str:
    """The content of the file, as the studio gives it."""
    return json.dumps(dataclasses.asdict(address), indent=4) + "\n"


def write_file(path: str | os.PathLike[str], text: str) -> None:
    """Writes the file, with its folder, unless it says the same already; others never see a half of it."""
    target = pathlib.Path(os.path.abspath(path))
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
