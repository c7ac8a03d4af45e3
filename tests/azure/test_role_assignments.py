from __future__ import annotations

import urllib.parse
import uuid
from typing import Any

import pytest

from tests.azure import arm_client
from tests.azure.arm_client import CONTRIBUTOR, READER, Client
from tests.azure.cloud import Cloud
from tests.azure.directory import Principal

DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def place(scope: str, name: str = "") -> str:
    """The id of an assignment."""
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name or uuid.uuid4()}"


def build(cloud: Cloud, principal: Principal, role: str = READER, **properties: Any) -> dict[str, Any]:
    """An assignment's body."""
    role_id = f"{cloud.subscription}/{DEFINITIONS}/{role}"
    return {"properties": {"roleDefinitionId": role_id, "principalId": principal.object_id, **properties}}


@pytest.fixture
def someone(cloud: Cloud) -> Principal:
    """A service principal that has long been there."""
    return cloud.directory.add_application(str(uuid.uuid4()), str(uuid.uuid4()))


@pytest.fixture
def newcomer(cloud: Cloud) -> Principal:
    """A service principal that was made a moment ago."""
    return cloud.directory.add_identity(str(uuid.uuid4()), str(uuid.uuid4()))


def test_assignment_lets_its_principal_in(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """What a role allows is allowed from then on, until the assignment is deleted."""
    other, assignment = Client(cloud, someone), place(group)

    before = other.get(group)
    made = client.put(assignment, build(cloud, someone))
    between = other.get(group)
    deleted = client.delete(assignment)
    after = other.get(group)

    assert (made.status, deleted.status) == (201, 200)
    assert [before.status, between.status, after.status] == [403, 200, 403]


def test_assignment_is_filled(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """The service adds scope, type of principal, who and when, and writes the role as the subscription's."""
    body = build(cloud, someone)
    body["properties"]["roleDefinitionId"] = f"/{DEFINITIONS}/{READER}"

    made = client.put(place(group), body).properties

    assert made["roleDefinitionId"] == f"{cloud.subscription}/{DEFINITIONS}/{READER}"
    assert made["scope"] == group
    assert made["principalType"] == "ServicePrincipal"
    assert made["createdBy"] == made["updatedBy"] == client.principal.object_id
    assert made["createdOn"] == made["updatedOn"]


def test_same_again_is_accepted(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """The same PUT changes nothing; a description can change."""
    assignment = place(group)
    first = client.put(assignment, build(cloud, someone)).properties

    again = client.put(assignment, build(cloud, someone, description="so that"))

    assert again.status == 200
    assert again.properties["description"] == "so that"
    assert again.properties["createdOn"] == first["createdOn"]


def test_second_of_the_same_is_refused(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """One role is assigned to one principal at one scope once, whatever the name; elsewhere it may be."""
    first = place(group)
    client.put(first, build(cloud, someone))

    answer = client.put(place(group), build(cloud, someone))
    above = client.put(place(cloud.subscription), build(cloud, someone))

    assert (answer.status, answer.code) == (409, "RoleAssignmentExists")
    assert first.rpartition("/")[2].replace("-", "") in answer.message
    assert above.status == 201


def test_change_is_refused(cloud: Cloud, client: Client, group: str, someone: Principal, newcomer: Principal) -> None:
    """Role, principal and scope of a name never change."""
    assignment = place(group)
    client.put(assignment, build(cloud, someone))

    answers = [
        client.put(assignment, build(cloud, someone, ACR_PULL)),
        client.put(assignment, build(cloud, newcomer, principalType="ServicePrincipal")),
        client.put(place(cloud.subscription, assignment.rpartition("/")[2]), build(cloud, someone)),
    ]

    assert {(each.status, each.code) for each in answers} == {(400, "RoleAssignmentUpdateNotPermitted")}


def test_new_principal_is_not_found_yet(cloud: Cloud, client: Client, group: str, newcomer: Principal) -> None:
    """Without its type a new principal is refused until the directory's servers have heard of it."""
    statuses = [client.put(place(group), build(cloud, newcomer)).code for _ in range(3)]

    assert statuses == ["PrincipalNotFound", "PrincipalNotFound", ""]


def test_principal_type_saves_the_question(cloud: Cloud, client: Client, group: str, newcomer: Principal) -> None:
    """With its type a new principal is taken at once, as the directory is not asked."""
    assert client.put(place(group), build(cloud, newcomer, principalType="ServicePrincipal")).status == 201


def test_wrong_principal_type_is_refused(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """A service principal is no user."""
    answer = client.put(place(group), build(cloud, someone, principalType="User"))

    assert (answer.status, answer.code) == (400, "UnmatchedPrincipalType")


def test_unknown_role_is_refused(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """Only roles that there are can be assigned."""
    answer = client.put(place(group), build(cloud, someone, str(uuid.uuid4())))

    assert (answer.status, answer.code) == (400, "RoleDefinitionDoesNotExist")


def test_names_are_guids(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """Any other name is refused, and so is a principal that is no GUID."""
    name = client.put(place(group, "reader"), build(cloud, someone))
    principal = client.put(place(group), build(cloud, someone, principalId="someone"))

    assert name.code == "InvalidRoleAssignmentId"
    assert principal.code == "InvalidPrincipalId"


def test_scope_must_be_there(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """No assignment stands on a resource that is missing."""
    missing = f"{group}/providers/Microsoft.Storage/storageAccounts/stmissing"

    assert client.put(place(missing), build(cloud, someone)).status == 404


def test_contributor_may_not_assign(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """A contributor may do nearly all, and neither makes nor deletes assignments."""
    assignment = place(group)
    client.put(assignment, build(cloud, someone))
    contributor = arm_client.log_in(cloud, CONTRIBUTOR, cloud.subscription)

    answers = [contributor.put(place(group), build(cloud, someone, ACR_PULL)), contributor.delete(assignment)]

    assert [each.code for each in answers] == ["AuthorizationFailed"] * 2


def test_assignments_go_with_their_scope_and_stay_without_their_principal(
    cloud: Cloud, client: Client, group: str, someone: Principal
) -> None:
    """One on a deleted resource goes; one to a deleted identity stays."""
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tests"
    made = client.put(identity, {"location": "westeurope"}).properties
    its_own = Principal(object_id=made["principalId"], client_id=made["clientId"])
    on_it, to_it = place(identity), place(group)
    client.put(on_it, build(cloud, someone))
    client.put(to_it, build(cloud, its_own, principalType="ServicePrincipal"))

    client.delete(identity)

    assert client.get(on_it).status == 404
    assert client.get(to_it).status == 200


def test_lists_reach_up_and_down(cloud: Cloud, client: Client, group: str, someone: Principal) -> None:
    """A list has what is at, above and below its scope; filters leave less."""
    identity = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-tests"
    client.put(identity, {"location": "westeurope"})
    for scope in (cloud.subscription, group, identity):
        client.put(place(scope), build(cloud, someone))
    of_someone = f"principalId eq '{someone.object_id}'"

    def count(scope: str, wanted: str) -> int:
        query = urllib.parse.urlencode({"$filter": wanted, "api-version": "2022-04-01"})
        listed = client.get(f"{place(scope).rpartition('/')[0]}?{query}")
        return sum(each["properties"]["principalId"] == someone.object_id for each in listed.body["value"])

    assert [count(scope, "") for scope in (cloud.subscription, group, identity)] == [3, 3, 3]
    assert [count(scope, "atScope()") for scope in (cloud.subscription, group, identity)] == [1, 2, 3]
    assert count(group, of_someone) == 3
    assert client.get(f"{place(group).rpartition('/')[0]}?$filter=nonsense").code == "InvalidFilter"


def test_roles_are_found_by_name(cloud: Cloud, client: Client) -> None:
    """A role can be read by its id, and looked for by its name."""
    query = urllib.parse.urlencode({"$filter": "roleName eq 'AcrPull'", "api-version": "2022-04-01"})
    listed = client.get(f"{cloud.subscription}/{DEFINITIONS}?{query}").body["value"]
    read = client.get(f"{cloud.subscription}/{DEFINITIONS}/{ACR_PULL}").body

    assert listed == [read]
    assert read["properties"]["roleName"] == "AcrPull"
    assert client.get(f"{cloud.subscription}/{DEFINITIONS}/{uuid.uuid4()}").status == 404
