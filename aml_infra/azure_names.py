"""Names of Azure resources: derived from what they belong to, and within the limits of each service.

A name is the readable start of the component's and the stack's name, and a digest of subscription, project, stack and
component: two long names that start alike stay apart, and no other component has a part in it. The limits are those of
https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re

DIGEST_LENGTH = 10
"""Characters of the digest in a name, of five bits each: enough where the whole world shares the names."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Owner:
    """What a resource belongs to.

    Attributes:
        subscription_id: id of the subscription.
        project: name of the Pulumi project.
        stack: name of the stack.
        component: name of the component.
    """

    subscription_id: str
    project: str
    stack: str
    component: str


@dataclasses.dataclass(frozen=True)
class _Form:
    """What a service allows in a name, and how one is made that is allowed."""

    shortest: int
    longest: int
    pattern: str
    allowed: str
    example: str
    hyphens: bool = True


_ASSET = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_ASSET_WORDS = "letters, digits, hyphens and underscores, starting with a letter or digit"

_FORMS = {
    "resource_group": _Form(
        1,
        90,
        r"[\w.()-]*[\w()-]",
        "letters, digits, hyphens, underscores, periods and parentheses, not ending with a period",
        "rg-pets",
    ),
    "storage_account": _Form(3, 24, r"[a-z0-9]+", "lower-case letters and digits", "petsdata", hyphens=False),
    "key_vault": _Form(
        3,
        24,
        r"[A-Za-z](-?[A-Za-z0-9])*",
        "letters, digits and single hyphens, starting with a letter and not ending with a hyphen",
        "kv-pets",
    ),
    "registry": _Form(5, 50, r"[A-Za-z0-9]+", "letters and digits", "petsimages", hyphens=False),
    "workspace": _Form(3, 33, _ASSET, _ASSET_WORDS, "pets"),
    "compute": _Form(
        3,
        32,
        r"[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?",
        "letters, digits and hyphens, starting with a letter and not ending with a hyphen",
        "gpu-cluster",
    ),
    # 63 are allowed; of its name are made its DNS prefix, of 54, and the name of the group of its nodes.
    "kubernetes": _Form(
        1,
        54,
        r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?",
        "letters, digits and hyphens, starting and ending with a letter or digit",
        "pets-cluster",
    ),
    "connection": _Form(3, 33, _ASSET, _ASSET_WORDS, "registry"),
    "environment": _Form(1, 255, _ASSET, _ASSET_WORDS, "fastai"),
    "outbound_rule": _Form(1, 255, _ASSET, _ASSET_WORDS, "pypi"),
    "identity": _Form(3, 128, _ASSET, _ASSET_WORDS, "id-pets"),
    "log_analytics": _Form(
        4,
        63,
        r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]",
        "letters, digits and hyphens, starting and ending with a letter or digit",
        "log-pets",
    ),
    "application_insights": _Form(
        1, 260, r"[\w.()-]*[\w()-]", "letters, digits, hyphens, underscores, periods and parentheses", "appi-pets"
    ),
    "private_endpoint": _Form(
        2,
        64,
        r"[A-Za-z0-9][\w.-]*\w",
        "letters, digits, hyphens, underscores and periods, starting with a letter or digit",
        "pe-pets",
    ),
}

KINDS = tuple(_FORMS)
"""What has a name here."""


def build_name(kind: str, owner: Owner, part: str = "") -> str:
    """The name that a resource of ``kind`` has, wherever and whenever it is made.

    Args:
        kind: one of ``KINDS``.
        owner: what it belongs to.
        part: what tells several of one kind in one component apart, such as ``compute``; also what it is replaced for
            under a new name, such as the size of a cluster's machines.
    """
    form = _FORMS[kind]
    joint = "-" if form.hyphens else ""
    words = re.findall(r"[a-z0-9]+", "-".join(filter(None, [owner.component, part, owner.stack])).lower())
    readable = joint.join(words)
    if not readable[:1].isalpha():
        readable = f"a{joint}{readable}"
    start = readable[: form.longest - DIGEST_LENGTH - len(joint)].rstrip("-")
    return f"{start}{joint}{_find_digest(owner, part)}"


def _find_digest(owner: Owner, part: str) -> str:
    # The service gives a subscription's id in whatever case it was asked with.
    identity = [owner.subscription_id.lower(), owner.project, owner.stack, owner.component, part]
    digest = hashlib.sha256("\0".join(identity).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:DIGEST_LENGTH]


def find_name_problem(kind: str, value: str) -> str | None:
    """What is wrong with the name ``value`` that a user gave to a resource of ``kind``; None if it is allowed."""
    form = _FORMS[kind]
    if re.fullmatch(form.pattern, value, re.ASCII) and form.shortest <= len(value) <= form.longest:
        return None
    allowed = f"allowed are {form.shortest} to {form.longest} {form.allowed}, as in {form.example!r}"
    return f"is {value!r}, {len(value)} characters; {allowed}"
