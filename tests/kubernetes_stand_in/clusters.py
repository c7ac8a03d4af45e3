"""The configured cluster, which may be out of reach."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.kubernetes_stand_in import api_server
from tests.kubernetes_stand_in.api_server import ApiServer
from tests.kubernetes_stand_in.configuration import Configuration
from tests.kubernetes_stand_in.lifecycle import Lifecycle, Options
from tests.kubernetes_stand_in.objects import Kind
from tests.kubernetes_stand_in.openapi import OpenApiShape
from tests.kubernetes_stand_in.transport import Transport
from tests.plugin_stand_ins.errors import ConfigurationError, StandInError

Connect = Callable[[Configuration], tuple[Transport, str]]
"""Gives the transport and the default namespace of a configuration's cluster."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster as it is configured; `reach` finds it.

    Attributes:
        configuration: What it is configured by.
        default_namespace: Where objects without a namespace go.
        server: Its API server; None if it cannot be reached.
        unreachable: Why.
    """

    configuration: Configuration
    default_namespace: str
    server: ApiServer | None
    unreachable: str = ""

    def find_shape(self, kind: Kind) -> OpenApiShape | None:
        """The kind's schema; None if it is not known."""
        return None if self.server is None else self.server.find_shape(kind)

    def find_default_namespace(self, kind: Kind) -> str:
        """Where a kind's objects go; empty if they are in no namespace."""
        ask = api_server.may_be_namespaced if self.server is None else self.server.is_namespaced
        return self.default_namespace if ask(kind) else ""

    def open_lifecycle(self, interrupted: threading.Event) -> Lifecycle:
        """The operations on its objects.

        Raises:
            StandInError: If it cannot be reached.
        """
        if self.server is None:
            raise StandInError(f"configured Kubernetes cluster is unreachable: {self.unreachable}")
        options = Options(
            is_forced=self.configuration.is_set("enablePatchForce"),
            is_upserting=self.configuration.is_set("upsertExistingObjects"),
        )
        return Lifecycle(self.server, interrupted, options)


def reach(given: Configuration, connect: Connect) -> Cluster:
    """The cluster; what does not need it goes on without it, so that one out of reach is no error yet."""
    try:
        transport, namespace = connect(given)
    except ConfigurationError as error:
        namespace = given["namespace"] or "default"
        return Cluster(configuration=given, default_namespace=namespace, server=None, unreachable=str(error))
    server = ApiServer(transport)
    try:
        server.check()
    except StandInError as error:
        reason = f"unable to load schema information from the API server: {error}"
        return Cluster(configuration=given, default_namespace=namespace, server=None, unreachable=reason)
    return Cluster(configuration=given, default_namespace=namespace, server=server)
