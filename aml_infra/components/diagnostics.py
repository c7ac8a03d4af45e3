"""Logs and metrics of Azure resources, sent to Log Analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from pulumi_azure_native import monitor

SETTING_NAME = "aml-infra"
"""The name of the setting on each resource: there may be others of other tools beside it."""


def send_diagnostics(
    name: str, *, resource_id: pulumi.Input[str], log_analytics_id: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> monitor.DiagnosticSetting:
    """Sends all logs and metrics of a resource to a Log Analytics workspace.

    Args:
        name: name of the resource that is made.
        resource_id: id of the resource that has the logs; of a storage account, of one of its services.
        log_analytics_id: id of the Log Analytics workspace.
        opts: options of the resource that is made.
    """
    from pulumi_azure_native import monitor

    return monitor.DiagnosticSetting(
        name,
        name=SETTING_NAME,
        resource_uri=resource_id,
        logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
        metrics=[monitor.DiagnosticsMetricSettingsArgs(category="AllMetrics", enabled=True)],
        workspace_id=log_analytics_id,
        opts=opts,
    )
