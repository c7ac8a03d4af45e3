"""Why a node cannot pull an image: what nodes say, turned into what is to be done. Pure.

The words are those of containerd and of Go's network library, which every runtime of Kubernetes hands on.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aml_infra import registry_logins

PULLING = ("ErrImagePull", "ImagePullBackOff")
"""What a container waits for whose image is not there yet."""

_FIXES = (
    (
        re.compile(r"lookup \S+(?: on \S+)?: (?:no such host|server misbehaving)"),
        "their DNS does not know it; push to a registry by a name that nodes know, too",
    ),
    (
        re.compile(r"dial tcp [^\"]*?: (?:connect: )?(?:connection refused|no route to host|network is unreachable)"),
        "nothing answers them there; one on your own machine is none for nodes; push to one that they can reach",
    ),
    (
        re.compile(r"dial tcp [^\"]*?: i/o timeout"),
        "nothing answers them there; let their network reach it, or push to a registry that it does",
    ),
    (
        re.compile(r"(?:tls: failed to verify certificate: )?x509: .*"),
        "they do not trust its certificate; give its authority to the nodes, or a certificate of a public one to it",
    ),
    (
        re.compile(r"server gave HTTP response to HTTPS client"),
        "it has no TLS, and nodes ask for it; give it a certificate, or tell the nodes' container runtime",
    ),
)


_REFUSED = re.compile(r"40[13] (?:Unauthorized|Forbidden)|pull access denied|no basic auth credentials")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PullProblem:
    """A registry that a node cannot pull from.

    Attributes:
        registry: its server.
        said: why, in the node's words.
        fix: what to do.
        may_pass: whether that counts for a pod that waits already.
    """

    registry: str
    said: str
    fix: str
    may_pass: bool = False

    def __str__(self) -> str:
        return f"nodes cannot pull from registry {self.registry!r}: {self.said}; {self.fix}"


def find_problem(pod: Mapping[str, Any]) -> PullProblem | None:
    """The registry that keeps a pod from its image, if it is that."""
    for each in pod["status"].get("containerStatuses") or ():
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in PULLING:
            continue
        message, registry = str(waiting.get("message") or ""), find_registry(str(each.get("image") or ""))
        for pattern, fix in _FIXES:
            if found := pattern.search(message):
                return PullProblem(registry=registry, said=found[0], fix=fix)
        if found := _REFUSED.search(message):
            return PullProblem(registry=registry, said=found[0], fix=_find_login_fix(registry), may_pass=True)
    return None


def find_lasting_problem(pods: Iterable[Mapping[str, Any]]) -> PullProblem | None:
    """The first registry that keeps any of these pods from its image for good."""
    found = filter(None, map(find_problem, pods))
    return next((each for each in found if not each.may_pass), None)


def find_registry(reference: str) -> str:
    """The server in an image's reference."""
    return reference.partition("/")[0]


def _find_login_fix(registry: str) -> str:
    if registry_logins.is_azure(registry):
        return (
            "they need the role AcrPull there, as AksClusterArgs.registry or `az aks update --attach-acr` gives it, "
            "which counts after minutes; or a token for the repository, as Registry.external"
        )
    return "they need a login there, which KubernetesClusterArgs.registry gives; or there is no such image"
