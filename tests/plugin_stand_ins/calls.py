"""The engine's side of a call, for tests of servicers."""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2


class Aborted(Exception):
    """What a call is ended with."""


class Context:
    """The call's side of the transport."""

    def __init__(self) -> None:
        self.trailers: dict[str, bytes] = {}

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Keeps the trailers."""
        self.trailers = dict(metadata)

    def abort(self, code: grpc.StatusCode, text: str) -> None:
        """Ends the call."""
        raise Aborted(text)


def describe(response: provider_pb2.DiffResponse) -> dict[str, str]:
    """The kinds of the changes, by path."""
    kinds = provider_pb2.PropertyDiff.Kind
    return {path: kinds.Name(each.kind) for path, each in response.detailedDiff.items()}
