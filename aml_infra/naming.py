"""Names that are derived, never drawn: the same run has the same name on every machine."""

from __future__ import annotations

import hashlib
import re

RUN_TYPE = "aml-infra:index:TrainingRun"
"""What Pulumi calls the type of a training run's resource."""

SOFT_DELETION_TYPE = "aml-infra:index:SoftDeletion"
"""Likewise of what stands before a resource that Azure soft-deletes."""

SLUG_LIMIT = 30
"""Longest slug, so that a run id with its attempt fits the tightest service (Kubernetes, 63 characters)."""

FINGERPRINT_PREFIX = 12
"""Hexadecimal digits of the fingerprint in a run id; the whole of it is compared before a run is joined."""


def slugify(name: str) -> str:
    """``name`` as lower-case letters, digits and single hyphens, at most ``SLUG_LIMIT`` long.

    A name that had to be shortened keeps a digest of the whole, so that two long names stay apart.
    A name with nothing to keep becomes ``run``.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "run"
    if len(slug) <= SLUG_LIMIT:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{slug[: SLUG_LIMIT - 7].rstrip('-')}-{digest}"


def run_id(name: str, fingerprint: str) -> str:
    """The id that a run named ``name`` has wherever and whenever it is submitted."""
    return f"{slugify(name)}-{fingerprint[:FINGERPRINT_PREFIX]}"


def attempt_name(run: str, attempt: int) -> str:
    """The name of one attempt at run id ``run``: the id itself, then ``<id>-2``, ``<id>-3`` and so on."""
    if attempt < 1:
        raise ValueError(f"attempt is {attempt}; attempts are counted from 1")
    return run if attempt == 1 else f"{run}-{attempt}"
