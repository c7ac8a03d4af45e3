"""The azure-native plugin, official or stand-in, on the real engine against the tests' Resource Manager."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api_faults import Fault
from tests.azure import services
from tests.azure.cloud import Cloud
from tests.azure.server import CLIENT_ID, Azure, open_azure
from tests.azure_native_stand_in import installation
from tests.integration.projects import PROJECT, Project

PROGRAM = """\
import json
import pulumi
from pulumi_azure_native import authorization, resources, storage

with open("args.json") as file:
    given = json.load(file)
group = resources.ResourceGroup("group", resource_group_name="pets", location="westeurope")
name = given.pop("group", None) or group.name
options = pulumi.ResourceOptions(import_=given.pop("import", None))
account = storage.StorageAccount("account", resource_group_name=name, opts=options, **given)
pulumi.export("id", account.id)
pulumi.export("tier", account.access_tier)
pulumi.export("client", authorization.get_client_config_output().client_id)
"""

ACCOUNT = {
    "account_name": "petsstore1",
    "location": "westeurope",
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "enable_https_traffic_only": True,
}


class AzureProject(Project):
    """A project with a resource group and a storage account in it."""

    def write_account(self, **changes: Any) -> None:
        """Makes the program declare the account, with these properties on top of the usual ones."""
        (self.folder / "args.json").write_text(json.dumps({**ACCOUNT, **changes}))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the plugin."""
    return installation.find_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def azure(tmp_path: pathlib.Path) -> Iterator[Azure]:
    """An empty cloud whose subscription may use every resource provider."""
    with open_azure(tmp_path) as opened:
        opened.cloud.registered |= {each.lower() for each in services.list_namespaces()}
        yield opened


@pytest.fixture
def cloud(azure: Azure) -> Cloud:
    """What is in it."""
    return azure.cloud


@pytest.fixture
def project(tmp_path: pathlib.Path, plugin: pathlib.Path, azure: Azure) -> AzureProject:
    """A project whose plugin reaches the cloud through the proxy, as the subscription's owner."""
    made = AzureProject(tmp_path / "project", "pets", tmp_path / "data")
    (made.folder / "Pulumi.yaml").write_text(f"{PROJECT}    - name: azure-native\n      path: {plugin}\n")
    (made.folder / "__main__.py").write_text(PROGRAM)
    made.write_account()
    made.environment |= azure.environment
    made.make_stack()
    return made


def list_changes(cloud: Cloud) -> list[str]:
    """Which requests changed something, and what the answers were."""
    return [
        f"{each.method} {each.path.rpartition('/')[2]} {each.status}"
        for each in cloud.calls
        if each.method in ("PUT", "DELETE")
    ]


@pytest.mark.long
def test_the_lifecycle_of_a_resource(project: AzureProject, cloud: Cloud) -> None:
    """Made, unchanged, changed in place, replaced, and gone; each preview tells before it happens."""
    project.up()
    made = project.outputs()
    again = project.pulumi("preview", "--expect-no-changes")
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project.pulumi("preview", "--expect-no-changes")
    project.write_account(tags={"team": "pets"}, access_tier="Cool")
    in_place = project.pulumi("preview", "--diff")
    project.up()
    changed = project.outputs()
    project.write_account(account_name="petsstore2")
    replaced = project.pulumi("preview", "--diff")
    project.up()
    project.pulumi("destroy", "--yes", "--skip-preview")

    assert made["id"].endswith("/providers/Microsoft.Storage/storageAccounts/petsstore1")
    assert (made["tier"], made["client"]) == ("Hot", CLIENT_ID)
    assert "3 unchanged" in again
    assert "3 unchanged" in refreshed
    assert "(update)" in in_place
    assert 'team: "pets"' in in_place
    assert changed["tier"] == "Cool"
    assert "(replace)" in replaced
    assert '"petsstore1" => "petsstore2"' in replaced
    assert [each.partition(" 2")[0] for each in list_changes(cloud)] == [
        "PUT pets",
        "PUT petsstore1",
        "PUT petsstore1",
        "DELETE petsstore1",
        "PUT petsstore2",
        "DELETE petsstore2",
        "DELETE pets",
    ]
    written = [path.read_text() for path in (project.folder / "state").rglob("*") if path.is_file()]
    assert project.environment["ARM_CLIENT_SECRET"] not in "".join(written)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sku": {"nam": "Standard_LRS"}}, "sku.nam: could not find member"),
        ({"minimum_tls_version": "TLS12"}, "minimumTlsVersion: 'TLS12' is not one of"),
    ],
)
def test_a_misspelt_property_fails_at_preview(
    project: AzureProject, plugin: pathlib.Path, changes: dict[str, Any], problem: str
) -> None:
    """Nothing is sent; the official plugin would ignore it or leave it to the service."""
    if not installation.is_stand_in(plugin):
        pytest.skip("the official plugin is not that strict")
    project.write_account(**changes)

    assert problem in project.pulumi("preview", fails=True)


@pytest.mark.long
def test_bad_moments_pass(project: AzureProject, cloud: Cloud) -> None:
    """Throttled, failed inside, cut before and after the effect: it comes again, and nothing is there twice."""
    faults = [
        Fault("status", "/petsstore1$", "PUT", status=429, code="TooManyRequests", retry_after=0),
        Fault("status", "/petsstore1$", "PUT", status=500, retry_after=0),
        Fault("reset", "/petsstore1$", "PUT"),
        Fault("answer lost", "/pets$", "PUT"),
    ]
    for fault in faults:
        cloud.faults.add(fault)
    project.up()

    assert [fault.hits for fault in faults] == [1, 1, 1, 1]
    assert "3 unchanged" in project.pulumi("preview", "--expect-no-changes")


@pytest.mark.long
def test_what_failed_half_way_is_kept_and_set_right(project: AzureProject, cloud: Cloud) -> None:
    """The service had begun, so the state has the account; the next update goes on with it."""
    cloud.faults.add(Fault("status", "/(asyncOperations|operationResults)/", "GET", status=400, code="Broken"))
    failed = project.up(fails=True)
    kept = project.read_resource("account")
    cloud.operations.end_all()
    repaired = project.up()

    assert 'Code="Broken"' in failed
    assert kept["id"].endswith("/petsstore1")
    assert 'Code="Broken"' in kept["initErrors"][0]
    assert "1 updated" in repaired
    assert "initErrors" not in project.read_resource("account")


@pytest.mark.long
def test_what_exists_is_imported_and_not_adopted(project: AzureProject, cloud: Cloud) -> None:
    """A create fails; an import takes it over as it is, and the next update finds nothing to do."""
    project.up()
    account = project.read_resource("account")["id"]
    project.pulumi("state", "delete", project.read_resource("account")["urn"], "--yes")
    refused = project.up(fails=True)
    project.write_account(**{"import": account})
    imported = project.up()
    project.write_account()
    after = project.pulumi("preview", "--expect-no-changes")

    assert f"cannot create already existing resource '{account}'" in refused
    assert "1 imported" in imported
    assert "3 unchanged" in after
    assert project.read_resource("account")["inputs"]["accountName"] == "petsstore1"


@pytest.mark.long
def test_what_somebody_changed_is_found_and_set_right(project: AzureProject, cloud: Cloud) -> None:
    """A refresh sees it, and the next update has it as declared."""
    project.up()
    with cloud.lock:
        (account,) = [each for each in cloud.resources if each.type.endswith("/storageAccounts")]
        account.properties["supportsHttpsTrafficOnly"] = False
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--diff")
    project.up()

    assert "enableHttpsTrafficOnly" in refreshed
    assert account.properties["supportsHttpsTrafficOnly"] is True


@pytest.mark.long
def test_what_somebody_deleted_is_made_again(project: AzureProject, cloud: Cloud) -> None:
    """A refresh drops it from the state."""
    project.up()
    with cloud.lock:
        (account,) = [each for each in cloud.resources if each.type.endswith("/storageAccounts")]
        cloud.resources.remove(account.id)
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview")
    made = project.up()

    assert "1 deleted" in refreshed
    assert "1 created" in made
