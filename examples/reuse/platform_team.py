"""What every project of this team trains on: one decision each, taken once."""

from __future__ import annotations

import dataclasses

import pulumi

import aml_infra

SIZES = {"small": "STANDARD_NC4AS_T4_V3", "large": "STANDARD_NC24ADS_A100_V4"}
"""The sizes that this team has quota for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """What a project may choose.

    Attributes:
        location: Azure region.
        size: ``small`` or ``large``.
        max_nodes: the most nodes that there may be.
        cost_center: who pays; a tag on everything.
    """

    location: str
    size: str = "small"
    max_nodes: int = 1
    cost_center: str


class Platform(pulumi.ComponentResource):
    """A workspace, and a cluster in it, as this team has them."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("team:index:Platform", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        tags = {"cost-center": args.cost_center}
        self.workspace = aml_infra.Workspace(
            name,
            aml_infra.WorkspaceArgs(location=args.location, public_network_access=True, tags=tags),
            inside,
        )
        self.cluster = aml_infra.GpuCluster(
            f"{name}-gpu",
            aml_infra.GpuClusterArgs(
                workspace=self.workspace, vm_size=SIZES[args.size], max_nodes=args.max_nodes, low_priority=True
            ),
            inside,
        )
        self.register_outputs({})
