from __future__ import annotations

import pulumi

from aml_infra.components import diagnostics
from tests.unit.components.engine import Engine


def test_all_logs_and_metrics_are_sent(engine: Engine) -> None:
    """Under one name on each resource, which leaves room for others."""

    def program() -> None:
        opts = pulumi.ResourceOptions()
        diagnostics.send_diagnostics("logs", resource_id="/a/registry", log_analytics_id="/the/logs", opts=opts)

    engine.run(program)

    assert engine.find("azure-native:monitor:DiagnosticSetting").inputs == {
        "name": "aml-infra",
        "resourceUri": "/a/registry",
        "workspaceId": "/the/logs",
        "logs": [{"categoryGroup": "allLogs", "enabled": True}],
        "metrics": [{"category": "AllMetrics", "enabled": True}],
    }
