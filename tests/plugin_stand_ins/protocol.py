"""Pulumi's resource-provider protocol, as far as all resource types speak it alike."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from aml_infra.provider import wire
from tests.plugin_stand_ins import differences
from tests.plugin_stand_ins.differences import Change, Path
from tests.plugin_stand_ins.errors import InitFailedError, StandInError

_MAX_TRAILER_TEXT = 500


def find_token(urn: str) -> str:
    """The resource type in a URN."""
    return urn.split("::", 3)[2].rpartition("$")[2]


def find_name(urn: str) -> str:
    """Pulumi's name of the resource in a URN."""
    return urn.split("::", 3)[3]


def decode(struct: Any) -> dict[str, Any]:
    """Plain data without nulls, and with integers, which the protocol does not have."""
    plain: dict[str, Any] = simplify(wire.decode(struct))
    return plain


def simplify(value: Any) -> Any:
    """A decoded value without nulls and secrets, and with integers."""
    value = wire.reveal(value)
    if isinstance(value, dict):
        return {key: simplify(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [simplify(one) for one in value if one is not None]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def build_diff(
    changes: Mapping[Path, Change], replacing: Collection[Path], *, deletes_first: bool
) -> provider_pb2.DiffResponse:
    """The answer to ``Diff``.

    Args:
        changes: What changes.
        replacing: The paths of these whose change replaces the resource.
        deletes_first: Whether the old resource has to go before the new one comes, if it is replaced.
    """
    kinds = provider_pb2.PropertyDiff.Kind
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted({str(path[0]) for path in replacing}),
        diffs=sorted({str(path[0]) for path in changes}),
        deleteBeforeReplace=bool(replacing) and deletes_first,
        hasDetailedDiff=True,
        detailedDiff={
            differences.format_path(path): provider_pb2.PropertyDiff(
                kind=kinds.Value(f"{change.value}_REPLACE" if path in replacing else change.value), inputDiff=True
            )
            for path, change in changes.items()
        },
    )


@contextlib.contextmanager
def answer_errors(context: Any, inputs: Any = None) -> Iterator[None]:
    """Answers what was refused as text, and what exists but failed with its state, so that the engine keeps it."""
    try:
        yield
    except InitFailedError as error:
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.made.resource_id,
                properties=wire.encode(error.made.outputs),
                reasons=error.reasons,
                inputs=inputs if error.inputs is None else wire.encode(error.inputs),
            )
        )
        text = str(error)[:_MAX_TRAILER_TEXT]
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, text)
    except StandInError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
