"""What Azure refuses, loses and runs out of: what is told, what is kept, and how the next `up` sets it right."""

from __future__ import annotations

import concurrent.futures
import http
import pathlib
from collections.abc import Iterator

import pytest

from tests.api_faults import Fault
from tests.azure.server import Azure
from tests.azure.services.machine_learning import quotas
from tests.integration.clones import AzureClone

PROGRAM = """\
import json

import pulumi

import aml_infra

with open("changes.json") as file:
    changes = json.load(file)
workspace = aml_infra.Workspace(
    "pets",
    aml_infra.WorkspaceArgs(location="westeurope", public_network_access=True, purge_protection=False),
)
cluster = aml_infra.GpuCluster("gpu", aml_infra.GpuClusterArgs(workspace=workspace, **changes))
pulumi.export("nodes", cluster.current_node_count)
"""

WORKSPACE = "/Microsoft.MachineLearningServices/workspaces/[^/]*$"
BY_SERVICES = ("blobservices", "fileservices", "datastores", "environments")
"""What comes with a resource, with nobody asking."""

FAMILY = quotas.SIZES["standard_nc4as_t4_v3"].family


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, azure: Azure, azure_plugins: pathlib.Path) -> AzureClone:
    """A workspace with a cluster, of which nothing is there yet."""
    made = AzureClone(tmp_path_factory.mktemp("faults") / "clone", azure, azure_plugins, "azure-dev")
    (made.folder / "stacks" / "__main__.py").write_text(PROGRAM)
    made.settings.write_text(made.settings.read_text().partition("config:")[0] + "config: {}\n")
    made.pulumi("stack", "rm", "--yes", "--preserve-config", "azure-dev")
    made.pulumi("stack", "init", "azure-dev")
    return made


@pytest.fixture
def clone(program: AzureClone, azure: Azure) -> Iterator[AzureClone]:
    """The same for each test; what it made is taken away."""
    change(program)
    yield program
    azure.cloud.faults.clear()
    azure.cloud.quotas.clear()
    azure.cloud.operations.end_all()
    if list_own(azure):
        change(program)
        program.pulumi("destroy", "--yes", "--skip-preview")
    assert list_own(azure) == []


def change(clone: AzureClone, changes: str = "{}") -> None:
    """What the cluster is otherwise."""
    (clone.folder / "stacks" / "changes.json").write_text(changes)


def list_own(azure: Azure) -> list[str]:
    """The ids of what Azure has of the program."""
    return sorted(each.id.lower() for each in azure.cloud.resources if "pets-azure-dev" in each.id)


def find_strays(azure: Azure, clone: AzureClone) -> set[str]:
    """What Azure has and the state has not, or the other way round, but for what services make themselves."""
    state = clone.export()["resources"]
    known = {each["id"].lower() for each in state if each["type"].startswith("azure-native:")}
    return {each for each in known ^ set(list_own(azure)) if not any(f"/{kind}/" in each for kind in BY_SERVICES)}


def list_changes(azure: Azure) -> list[str]:
    """Which requests changed something."""
    changing = [call for call in azure.cloud.calls if call.method in ("PUT", "PATCH", "DELETE")]
    return [f"{call.method} {call.path}" for call in changing if call.status < http.HTTPStatus.BAD_REQUEST]


@pytest.mark.timeout(600)
@pytest.mark.long
def test_what_failed_half_way_is_gone_on_with(clone: AzureClone, azure: Azure) -> None:
    """The way there and the way back: what was done stays done, what is left comes with the next try."""
    cloud = azure.cloud
    cloud.faults.add(Fault("status", "/vaults/[^/]*$", "PUT", status=403, code="RequestDisallowedByPolicy", times=99))
    refused = clone.up(fails=True)
    first = set(clone.read_resources())
    cloud.faults.clear()
    cloud.faults.add(Fault("status", WORKSPACE, "PUT", status=500, times=99))
    failed = clone.up(fails=True)
    second = set(clone.read_resources())
    cloud.faults.clear()
    clone.up()
    clone.pulumi("preview", "--expect-no-changes")
    strays = find_strays(azure, clone)
    cloud.faults.add(Fault("status", "/storageAccounts/[^/]*$", "DELETE", status=409, code="Conflict", times=99))
    held = clone.pulumi("destroy", "--yes", "--skip-preview", fails=True)
    left = list_own(azure)
    cloud.faults.clear()
    clone.pulumi("destroy", "--yes", "--skip-preview")

    assert 'Code="RequestDisallowedByPolicy"' in refused
    assert {"pets-storage StorageAccount", "pets-logs Workspace"} <= first
    assert "pets-vault Vault" not in first
    assert 'Code="InternalServerError"' in failed
    assert first < second
    assert "pets-vault Vault" in second
    assert "pets-workspace Workspace" not in second
    assert strays == set()
    assert 'Code="Conflict"' in held
    # The group is what the account is in.
    assert {each.split("/")[-2] for each in left} == {
        "resourcegroups",
        "storageaccounts",
        "blobservices",
        "fileservices",
    }
    assert list_own(azure) == []


@pytest.mark.timeout(600)
def test_a_bad_day_passes(clone: AzureClone, azure: Azure) -> None:
    """Throttled, failed inside, cut before and after the effect: one `up` is enough, and nothing is there twice."""
    faults = [
        azure.cloud.faults.add(each)
        for each in (
            Fault("status", "/storageAccounts/[^/]*$", "PUT", status=429, code="TooManyRequests", retry_after=1),
            Fault("status", "/deletedVaults/", "GET", status=429, code="TooManyRequests", retry_after=0),
            Fault("reset", "/vaults/[^/]*$", "PUT"),
            Fault("answer lost", WORKSPACE, "PUT"),
            Fault("status", "/computes/", "PUT", status=500),
            Fault("reset", "/usages$", "GET"),
        )
    ]

    told = clone.up()

    assert [fault.hits for fault in faults] == [1] * len(faults), told
    clone.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    clone.pulumi("preview", "--expect-no-changes")
    assert find_strays(azure, clone) == set()


@pytest.mark.timeout(600)
@pytest.mark.long
def test_a_workspace_that_came_out_broken_is_set_right(clone: AzureClone, azure: Azure) -> None:
    """A role does not hold yet when Azure needs it: the workspace is there and of no use, until the next `up`."""
    cloud = azure.cloud
    pause = cloud.faults.add(Fault("delay", WORKSPACE, "PUT"))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        update = pool.submit(clone.up, fails=True)
        assert pause.reached.wait(timeout=120)
        roles = [each for each in cloud.resources if "/vaults/" in each.id and each.type.endswith("/roleAssignments")]
        for role in roles:
            cloud.resources.remove(role.id)
        pause.released.set()
        failed = update.result()
    (workspace,) = [each for each in cloud.resources if each.type == "Microsoft.MachineLearningServices/workspaces"]
    state = workspace.properties["provisioningState"]
    kept = set(clone.read_resources())
    for role in roles:
        cloud.resources.put(role)
    repaired = clone.up()

    assert 'Code="FailedToPerformOperationWithUserAssignedIdentity"' in failed
    assert state == "Failed"
    assert "pets-workspace Workspace" in kept
    assert "gpu-cluster Compute" not in kept
    assert "1 updated" in repaired
    assert workspace.properties["provisioningState"] == "Succeeded"
    clone.pulumi("preview", "--expect-no-changes")
    assert find_strays(azure, clone) == set()


@pytest.mark.parametrize(
    ("changes", "short", "problem"),
    [
        pytest.param(
            '{"max_nodes": 3}',
            (FAMILY, 8),
            f"gpu.vm_size: needs 12 cores of {FAMILY} in westeurope; 8 of 8 are free; raise it at https://ml.azure.com/",
            id="dedicated",
        ),
        pytest.param(
            '{"low_priority": true}',
            (quotas.LOW_PRIORITY, 0),
            f"gpu.vm_size: needs 4 low-priority cores of {quotas.LOW_PRIORITY} in westeurope; 0 of 0 are free;",
            id="low priority",
            marks=pytest.mark.long,
        ),
        pytest.param(
            '{"vm_size": "STANDARD_NC64AS_T4_V3"}',
            (FAMILY, 100),
            "gpu.vm_size: is 'STANDARD_NC64AS_T4_V3', which Azure ML does not have for clusters in westeurope; there",
            id="size",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_preview_says_what_the_quota_lacks(
    clone: AzureClone, azure: Azure, changes: str, short: tuple[str, int], problem: str
) -> None:
    """The figure that is short, and where to raise it, before anything is made."""
    change(clone, changes)
    azure.cloud.quotas["westeurope", short[0]] = short[1]
    azure.cloud.calls.clear()

    told = clone.pulumi("preview", fails=True)

    assert problem in told
    assert list_changes(azure) == []


@pytest.mark.timeout(600)
def test_a_shortage_that_azure_calls_a_success_is_told(clone: AzureClone, azure: Azure) -> None:
    """Who may not see the quota is told so; and then, why the nodes do not come."""
    change(clone, '{"min_nodes": 1}')
    azure.cloud.quotas["westeurope", FAMILY] = 2
    azure.cloud.faults.add(Fault("status", "/usages$", "GET", status=403, code="AuthorizationFailed", times=99))

    told = clone.up()

    assert "gpu.vm_size: whether the quota is enough is not known" in told
    assert "gpu: Azure says ClusterCoreQuotaReached" in told
    assert clone.outputs() == {"nodes": 0}


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("CLIENT_SECRET", "not-the-secret", "AADSTS7000215"),
        ("SUBSCRIPTION_ID", "33333333-3333-4333-8333-333333333333", "could not be found"),
    ],
)
def test_a_wrong_login_is_told_before_anything_is_made(
    clone: AzureClone, azure: Azure, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    """In plain words, without the secret."""
    for prefix in ("ARM", "AZURE"):
        monkeypatch.setitem(clone.environment, f"{prefix}_{variable}", value)
    azure.cloud.calls.clear()

    told = clone.up(fails=True)

    assert problem in told
    assert "Traceback" not in told
    assert azure.environment["ARM_CLIENT_SECRET"] not in told
    assert "not-the-secret" not in told
    assert list_changes(azure) == []


def test_a_provider_that_is_not_registered_is_told(clone: AzureClone, azure: Azure) -> None:
    """Already at preview where Machine Learning itself is missing."""
    azure.cloud.registered.discard("microsoft.machinelearningservices")
    azure.cloud.calls.clear()

    told = clone.pulumi("preview", fails=True)

    azure.cloud.registered.add("microsoft.machinelearningservices")
    assert "Traceback" not in told
    assert "not registered to use namespace 'Microsoft.MachineLearningServices'" in told
    assert list_changes(azure) == []
