"""Refusals, as Resource Manager words them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class ArmError(Exception):
    """A refusal: see https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors.

    Attributes:
        status: the HTTP status.
        code: the service's word for it.
        message: its sentence.
        headers: what the answer has in its head besides.
        details: the parts of it, each with ``code`` and ``message``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.details = list(details)

    def build_body(self) -> dict[str, Any]:
        """The answer's body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def not_found(resource_type: str, name: str, group: str) -> ArmError:
    """There is no such resource."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. For more details please "
        "go to https://aka.ms/ARMResourceNotFoundFix",
    )


def unknown_version(resource_type: str, version: str, supported: Iterable[str]) -> ArmError:
    """The type is not known in that API version."""
    listed = sorted(supported)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(-(alpha|beta|preview|privatepreview))?", version):
        text = f"The api-version '{version}' is invalid. The supported versions are '{','.join(listed)}'."
        return ArmError(400, "InvalidApiVersionParameter", text)
    return ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for API version '{version}' and type "
        f"'{resource_type.partition('/')[2]}'. The supported api-versions are '{', '.join(listed)}'.",
    )
