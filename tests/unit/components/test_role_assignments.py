from __future__ import annotations

import uuid

import pulumi
import pytest

from aml_infra.components import role_assignments
from aml_infra.components.role_assignments import Principal
from tests.unit.components.azure_resources import CLI, USER
from tests.unit.components.engine import Engine

SCOPE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/pets"


def test_an_assignment_says_all_that_azure_needs(engine: Engine) -> None:
    """The type of the principal above all, without which a new identity is not found."""

    def program() -> None:
        role_assignments.grant(
            "reads", "AcrPull", scope=SCOPE, principal_id=USER, principal_type="User", opts=pulumi.ResourceOptions()
        )

    engine.run(program)

    role = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    assert engine.find("azure-native:authorization:RoleAssignment").inputs == {
        "scope": SCOPE,
        "principalId": USER,
        "principalType": "User",
        "roleDefinitionId": f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "roleAssignmentName": "8f742c79-4dc0-5013-9dc9-d0a33c0b914d",
    }


def test_the_name_of_an_assignment_is_a_guid_that_stays() -> None:
    """In whatever case Azure gives the ids; another scope, principal or role has another one."""
    name = role_assignments.build_assignment_name(SCOPE, USER, "AcrPull")

    assert str(uuid.UUID(name)) == name
    assert role_assignments.build_assignment_name(SCOPE.upper(), USER.upper(), "AcrPull") == name
    others = {
        role_assignments.build_assignment_name(f"{SCOPE}2", USER, "AcrPull"),
        role_assignments.build_assignment_name(SCOPE, CLI, "AcrPull"),
        role_assignments.build_assignment_name(SCOPE, USER, "AcrPush"),
    }
    assert len(others | {name}) == 4


def test_roles_are_told_apart() -> None:
    """Each by an id of its own."""
    ids = role_assignments.ROLES.values()

    assert len(set(ids)) == len(ids)
    assert all(role_assignments.is_guid(each) for each in ids)


@pytest.mark.parametrize(
    ("client_id", "principal_type"),
    [
        (CLI, "User"),
        (CLI.upper(), "User"),
        ("1950a258-227b-4e31-a9cf-717495945fc2", "User"),
        ("bbbbbbbb-0000-0000-0000-000000000001", "ServicePrincipal"),
        ("", "ServicePrincipal"),
    ],
)
def test_whoever_is_logged_in_is_told_by_the_application(client_id: str, principal_type: str) -> None:
    """People have tokens of Azure's own tools; an application has one of itself."""
    assert role_assignments.find_principal_type(client_id) == principal_type


def test_a_principal_may_be_known_later() -> None:
    """Such as an identity that the same program makes."""
    later = pulumi.Output.from_input(USER)

    assert Principal(object_id=later, type="ServicePrincipal").find_problems() == []
    assert Principal(object_id=USER).find_problems() == []


@pytest.mark.parametrize("object_id", ["", "ada@example.com", USER[:-1], f"{{{USER}}}", USER.replace("-", "")])
def test_another_text_is_no_object_id(object_id: str) -> None:
    """The message says how to find it."""
    (found,) = Principal(object_id=object_id).find_problems()

    assert str(found) == (
        f"object_id: is {object_id!r}, no object id of Entra ID; `az ad signed-in-user show --query id` or `az ad sp "
        "show --id <application id> --query id` shows it"
    )


def test_another_type_is_refused() -> None:
    """With those that there are."""
    (found,) = Principal(object_id=USER, type="Application").find_problems()

    assert str(found) == "type: is 'Application'; allowed are User, Group, ServicePrincipal"
