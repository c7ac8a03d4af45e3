from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from aml_infra.components.aks_cluster_args import AksClusterArgs, read_taint
from aml_infra.components.role_assignments import Principal
from aml_infra.components.validation import Machine
from aml_infra.components.workspace_args import WorkspaceArgs

WORKSPACE = WorkspaceArgs(location="westeurope", public_network_access=True)
SUBNET = "/subscriptions/s/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub/subnets/nodes"


def find(**given: Any) -> list[str]:
    """What is wrong with a cluster."""
    args = AksClusterArgs(**{"workspace": WORKSPACE, **given})
    return [f"{problem.path}: {problem.message}" for problem in args.find_problems(Machine())]


def test_all_defaults_are_good() -> None:
    """A workspace is enough."""
    assert find() == []


def test_each_argument_can_be_good() -> None:
    """All at once."""
    given = {
        "workspace": WORKSPACE,
        "vm_size": "standard_nc16as_t4_v3",
        "min_nodes": 1,
        "max_nodes": 8,
        "low_priority": True,
        "taints": ["sku=gpu:NoSchedule", "example.com/team:NoExecute"],
        "idle_minutes": 5,
        "system_vm_size": "STANDARD_D8S_V3",
        "system_min_nodes": 2,
        "system_max_nodes": 5,
        "kubernetes_version": "1.34",
        "tier": "Standard",
        "local_accounts": True,
        "private_cluster": False,
        "authorized_ip_ranges": ["192.0.2.0/24"],
        "subnet_id": SUBNET,
        "pod_cidr": "10.64.0.0/16",
        "service_cidr": "10.65.0.0/16",
        "administrators": {"team": Principal(object_id="aaaaaaaa-0000-0000-0000-000000000002", type="Group")},
        "tags": {"team": "pets"},
    }
    assert set(given) | {"registry"} == {field.name for field in dataclasses.fields(AksClusterArgs)}
    assert find(**given) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vm_size": "NC4"}, "vm_size: is 'NC4', no name of a size"),
        ({"system_vm_size": "STANDARD_NC6"}, "system_vm_size: is 'STANDARD_NC6', which Azure has retired"),
        ({"min_nodes": -1}, "min_nodes: is -1; allowed are whole numbers from 0 on"),
        ({"min_nodes": 3, "max_nodes": 2}, "min_nodes: is 3; allowed are at most the 2 of max_nodes"),
        ({"max_nodes": 1001}, "max_nodes: is 1001; allowed are whole numbers from 1 to 1000"),
        ({"system_min_nodes": 0}, "system_min_nodes: is 0; allowed are whole numbers from 1 on"),
        ({"idle_minutes": 0}, "idle_minutes: is 0; allowed are whole numbers from 1 on"),
        ({"taints": ["gpu"]}, "taints[0]: is 'gpu'; allowed is 'key=value:effect', with NoSchedule, Prefer"),
        ({"taints": ["-x=y:NoSchedule"]}, "taints[0]: is '-x', no key of a label"),
        ({"kubernetes_version": "1.34.2"}, "kubernetes_version: is '1.34.2'; give a minor version, as in '1.34'"),
        ({"tier": "free"}, "tier: is 'free'; allowed are Free, Standard, Premium"),
        ({"authorized_ip_ranges": ["x"]}, "authorized_ip_ranges[0]: is 'x', no range of addresses"),
        (
            {"authorized_ip_ranges": ["192.0.2.0/24"], "private_cluster": True},
            "authorized_ip_ranges: are given, and the API server is private; leave them out",
        ),
        ({"service_cidr": "10.0.0.1/16"}, "service_cidr: is '10.0.0.1/16', no range of addresses"),
        (
            {"administrators": {"me": Principal(object_id="me")}},
            "administrators['me'].object_id: is 'me', no object id of Entra ID",
        ),
    ],
)
def test_what_cannot_be_is_told(given: dict[str, Any], told: str) -> None:
    """With the value, what is allowed, and the fix."""
    (found,) = find(**given)

    assert found.startswith(told)


def test_the_api_server_is_as_private_as_the_workspace() -> None:
    """Unless it is said otherwise."""
    closed = WorkspaceArgs(location="westeurope")

    assert AksClusterArgs(workspace=closed).is_private
    assert not AksClusterArgs(workspace=WORKSPACE).is_private
    assert not AksClusterArgs(workspace=closed, private_cluster=False).is_private


def test_a_taint_is_read() -> None:
    """With a value and without."""
    assert read_taint("nvidia.com/gpu=present:NoSchedule") == ("nvidia.com/gpu", "present", "NoSchedule")
    assert read_taint("team:NoExecute") == ("team", "", "NoExecute")
    with pytest.raises(ValueError, match="'team' is no taint"):
        read_taint("team")


def test_name_servers_have_an_address_of_the_services() -> None:
    """The tenth of their range, as is usual."""
    assert AksClusterArgs(workspace=WORKSPACE, service_cidr="10.65.0.0/16").dns_service_ip == "10.65.0.10"
