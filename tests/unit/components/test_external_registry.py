from __future__ import annotations

from typing import Any

import pulumi
import pytest

from aml_infra import InvalidInput, Problem, Registry, Workspace, WorkspaceArgs
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.registry_login import Login
from tests.unit.components.engine import Engine


@pytest.mark.parametrize(
    "server",
    [
        *(
            "ghcr.io",
            "ghcr.io/team",
            "localhost:5000",
            "127.0.0.1:5000/a/b",
            "Registry.example.com",
            "docker.io/me_too",
        ),
        "x.azurecr.io/a--b/c.d",
    ],
)
def test_names_of_registries(engine: Engine, server: str) -> None:
    """A host, with port and namespace where there are any."""
    found: list[object] = []

    engine.run(lambda: found.extend(Registry.external(server, "me", "sesame").find_problems()))

    assert found == []


@pytest.mark.parametrize(
    "server",
    [
        *("", "https://ghcr.io", "ghcr.io/", "ghcr.io/Team", "ghcr.io:port", "a b", "-a", "me@ghcr.io", "ghcr.io/a//b"),
        "ghcr.io/a:tag",
    ],
)
def test_other_texts_are_no_registry(engine: Engine, server: str) -> None:
    """They would fail in the middle of an update, in words of Docker."""
    found: list[str] = []

    engine.run(lambda: found.extend(map(str, Registry.external(server, "me", "sesame").find_problems())))

    allowed = "give its host, with port and namespace where there are any, as in 'ghcr.io/team'"
    assert found == [f"server: is {server!r}, no registry's name; {allowed}"]


def test_what_is_not_known_yet_is_no_problem(engine: Engine) -> None:
    """A registry that the same program makes has its name and account at update only."""
    found: list[object] = []

    def program() -> None:
        unknown = pulumi.Output.from_input("")
        found.extend(Registry.external("ghcr.io", unknown, unknown).find_problems())
        found.extend(ExternalRegistry(server=unknown, username=unknown, password=unknown).find_problems())

    engine.run(program)

    assert found == []


def test_the_password_is_a_secret(engine: Engine) -> None:
    """Whatever it was given as; and so is all that has it."""
    found: list[object] = []

    async def look() -> bool:
        given = Registry.external("ghcr.io/team", "me", "sesame")
        outputs: list[pulumi.Output[Any]] = [given.server, given.username, given.password, given.login]
        found.extend([(await output.future(), await output.is_secret()) for output in outputs])
        return True

    engine.run(lambda: {"done": look()})

    login = Login("ghcr.io/team", "me", "sesame")
    assert found == [("ghcr.io/team", False), ("me", False), ("sesame", True), (login, True)]


def test_an_account_that_is_not_given_is_told(engine: Engine) -> None:
    """``pulumi.Config().get`` gives None for what is not configured."""
    found: list[Problem] = []

    def program() -> None:
        account: Any = None
        found.extend(Registry.external("ghcr.io/team", account, account).find_problems())

    engine.run(program)

    assert [problem.path for problem in found] == ["username", "password"]


CONNECTION = "azure-native:machinelearningservices:WorkspaceConnection"


def connect(server: str = "ghcr.io/team", name: str | None = "ghcr") -> ExternalRegistry:
    """A registry that a workspace is connected to."""
    workspace = Workspace("pets", WorkspaceArgs(location="westeurope", public_network_access=True))
    return Registry.external(server, "me", "sesame", workspace=workspace, name=name)


def test_a_workspace_is_connected_to_it(engine: Engine) -> None:
    """Its computes pull with the account; the password is a secret, and in Azure in the key vault."""
    engine.run(connect)

    made = engine.find(CONNECTION)
    (workspace,) = [one.inputs for one in engine.resources if one.name == "pets-workspace"]
    properties = made.inputs["properties"]
    assert made.name == "ghcr-connection"
    assert made.inputs["connectionName"].startswith("ghcr-test-")
    assert made.inputs["workspaceName"] == workspace["workspaceName"]
    assert made.inputs["resourceGroupName"] == workspace["resourceGroupName"]
    assert properties[pulumi.runtime.rpc._special_sig_key]
    assert properties["value"] == {
        "authType": "UsernamePassword",
        "category": "ContainerRegistry",
        "credentials": {"username": "me", "password": "sesame"},
        "target": "https://ghcr.io",
    }


def test_without_a_workspace_it_is_no_resource(engine: Engine) -> None:
    """A stack on this machine has nothing of Azure in its state."""
    engine.run(lambda: Registry.external("ghcr.io/team", "me", "sesame"))

    assert engine.resources == []


def test_a_workspace_without_a_name_is_told(engine: Engine) -> None:
    """Before the connection is made."""
    with pytest.raises(InvalidInput) as caught:
        engine.run(lambda: connect(name=None))

    problem = "registry: has a workspace, but no name; give a name, as the connection to it has one"
    assert [str(each) for each in caught.value.problems] == [problem]
    assert [one.typ for one in engine.resources if one.typ == CONNECTION] == []


def test_one_on_this_machine_is_warned_of(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job could pull from it; but it is connected, as tests of a program have it there."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, _: warnings.append(text))

    engine.run(lambda: connect("localhost:5000/team"))

    assert warnings == ["ghcr.server: is on this machine, and the workspace's jobs cannot pull from it"]
    assert engine.find(CONNECTION)


def test_a_name_alone_connects_nothing(engine: Engine) -> None:
    """Somebody has forgotten the workspace."""
    with pytest.raises(
        InvalidInput, match="ghcr: has a name, but no workspace that it is the connection of; give both"
    ):
        engine.run(lambda: Registry.external("ghcr.io/team", "me", "sesame", name="ghcr"))
