from __future__ import annotations

import dataclasses
import itertools
import random
import re
import string

import pytest

from aml_infra import azure_names
from aml_infra.azure_names import Owner

OWNER = Owner(
    subscription_id="11111111-2222-3333-4444-555555555555", project="aml-infra", stack="azure-dev", component="pets"
)

LIMITS = {
    "resource_group": (1, 90, r"[A-Za-z0-9_.()-]*[A-Za-z0-9_()-]"),
    "storage_account": (3, 24, r"[a-z0-9]+"),
    "key_vault": (3, 24, r"[A-Za-z](?!.*--)[A-Za-z0-9-]*[A-Za-z0-9]"),
    "registry": (5, 50, r"[A-Za-z0-9]+"),
    "workspace": (3, 33, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    "compute": (3, 32, r"[A-Za-z0-9-]+"),
    "kubernetes": (1, 54, r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"),
    "connection": (3, 33, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    "environment": (1, 255, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    "outbound_rule": (1, 255, r"[A-Za-z0-9_-]+"),
    "identity": (3, 128, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    "log_analytics": (4, 63, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]"),
    "application_insights": (1, 260, r"[A-Za-z0-9_.()-]*[A-Za-z0-9_()-]"),
    "private_endpoint": (2, 64, r"[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9_]"),
}
"""The limits as Azure's pages give them, written down a second time."""


def draw_owners() -> list[Owner]:
    """Owners with names of every length and of odd characters; the same in each run."""
    dice = random.Random(5)  # noqa: S311 (nothing is secret here)
    alphabet = string.ascii_letters + string.digits + "-_. äß中/"

    def draw() -> str:
        return "".join(dice.choice(alphabet) for _ in range(dice.choice([1, 2, 3, 7, 20, 40, 120])))

    return [dataclasses.replace(OWNER, project=draw(), stack=draw(), component=draw()) for _ in range(400)]


def test_every_kind_has_its_limits_here() -> None:
    """A kind that is added is checked, too."""
    assert set(LIMITS) == set(azure_names.KINDS)


@pytest.mark.parametrize("kind", azure_names.KINDS)
def test_a_name_is_within_the_limits_of_its_service(kind: str) -> None:
    """Whatever the project, the stack and the component are called."""
    shortest, longest, pattern = LIMITS[kind]

    for owner, part in itertools.product(draw_owners(), ["", "compute", "STANDARD_NC4AS_T4_V3"]):
        name = azure_names.build_name(kind, owner, part)
        assert shortest <= len(name) <= longest, name
        assert re.fullmatch(pattern, name), name
        assert azure_names.find_name_problem(kind, name) is None


@pytest.mark.parametrize("kind", azure_names.KINDS)
def test_two_owners_never_share_a_name(kind: str) -> None:
    """Not even where their names start alike, or differ only in what a name cannot have."""
    long = "a-very-long-name-of-a-component-that-no-service-has-room-for-" * 5
    components = ["pets", "Pets", "pets-", "pe-ts", "pe.ts", "pets1", long, long + "1", long + "2"]
    owners = [dataclasses.replace(OWNER, component=component) for component in components]
    owners += [
        dataclasses.replace(OWNER, stack="azure-prod"),
        dataclasses.replace(OWNER, project="other"),
        dataclasses.replace(OWNER, subscription_id="22222222-2222-3333-4444-555555555555"),
        # The same words, with the bounds between them elsewhere.
        dataclasses.replace(OWNER, component="pets-azure", stack="dev"),
        dataclasses.replace(OWNER, component="pets", stack="azure", project="dev-aml-infra"),
        *draw_owners(),
    ]

    names = [azure_names.build_name(kind, owner, part) for owner in owners for part in ("", "compute", "dev")]

    assert len({name.lower() for name in names}) == len(set(owners)) * 3


def test_a_subscription_is_the_same_in_either_case() -> None:
    """Azure gives ids in whatever case it was asked with."""
    loud = dataclasses.replace(OWNER, subscription_id="AAAAAAAA-2222-3333-4444-555555555555")
    quiet = dataclasses.replace(OWNER, subscription_id="aaaaaaaa-2222-3333-4444-555555555555")

    assert azure_names.build_name("registry", loud) == azure_names.build_name("registry", quiet)


@pytest.mark.parametrize(
    ("kind", "part", "name"),
    [
        ("resource_group", "", "pets-azure-dev-roab3cvyen"),
        ("storage_account", "", "petsazuredevroab3cvyen"),
        ("key_vault", "", "pets-azure-de-roab3cvyen"),
        ("registry", "", "petsazuredevroab3cvyen"),
        ("workspace", "", "pets-azure-dev-roab3cvyen"),
        ("compute", "STANDARD_NC4AS_T4_V3", "pets-standard-nc4as-t-4reo3bxc4d"),
        ("identity", "compute", "pets-compute-azure-dev-gcif77h37e"),
        ("log_analytics", "", "pets-azure-dev-roab3cvyen"),
        ("application_insights", "", "pets-azure-dev-roab3cvyen"),
        ("private_endpoint", "blob", "pets-blob-azure-dev-5ksqhmuuew"),
    ],
)
def test_names_are_pinned(kind: str, part: str, name: str) -> None:
    """They are a contract: another name is another resource, and what was in the old one is lost."""
    assert azure_names.build_name(kind, OWNER, part) == name


@pytest.mark.parametrize(
    ("kind", "component", "start"),
    [("key_vault", "3d-pets", "a-3d-pets-azu-"), ("storage_account", "中", "azuredev"), ("compute", "_", "azure-dev-")],
)
def test_a_name_starts_with_a_letter(kind: str, component: str, start: str) -> None:
    """As vaults must, and computes."""
    name = azure_names.build_name(kind, dataclasses.replace(OWNER, component=component))

    assert name.startswith(start)
    assert len(name) == len(start) + azure_names.DIGEST_LENGTH


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("resource_group", "pets."),
        ("resource_group", "p" * 91),
        ("resource_group", ""),
        ("storage_account", "Pets"),
        ("storage_account", "pets-data"),
        ("storage_account", "pe"),
        ("storage_account", "p" * 25),
        ("key_vault", "3pets"),
        ("key_vault", "pets--kv"),
        ("key_vault", "pets-"),
        ("key_vault", "kv"),
        ("registry", "pets"),
        ("registry", "pets-images"),
        ("workspace", "-pets"),
        ("workspace", "pets dev"),
        ("workspace", "p" * 34),
        ("workspace", "pets\n"),
        ("compute", "gpu_cluster"),
        ("compute", "gp"),
        ("compute", "g" * 33),
        ("compute", "3gpu"),
        ("environment", "fastai:1"),
        ("identity", "id"),
        ("log_analytics", "log"),
        ("log_analytics", "logs-"),
        ("private_endpoint", "pe-"),
        ("workspace", "pëts"),
    ],
)
def test_a_name_that_the_service_refuses_is_told(kind: str, value: str) -> None:
    """With the value, and what is allowed."""
    shortest, longest, _ = LIMITS[kind]

    found = azure_names.find_name_problem(kind, value)

    assert found is not None
    assert found.startswith(f"is {value!r}, {len(value)} characters; allowed are {shortest} to {longest} ")


def test_the_whole_sentence() -> None:
    """It ends with an example."""
    assert azure_names.find_name_problem("storage_account", "Pets-Data") == (
        "is 'Pets-Data', 9 characters; allowed are 3 to 24 lower-case letters and digits, as in 'petsdata'"
    )


@pytest.mark.parametrize("kind", azure_names.KINDS)
def test_the_example_is_allowed(kind: str) -> None:
    """Of each kind."""
    sentence = azure_names.find_name_problem(kind, "") or azure_names.find_name_problem(kind, "*") or ""
    (example,) = re.findall(r"as in '(.*)'$", sentence)

    assert azure_names.find_name_problem(kind, example) is None
