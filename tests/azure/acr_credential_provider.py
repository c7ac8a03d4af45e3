#!/usr/bin/env python3
"""Logs a kubelet in to container registries of Azure, as the identity of its node.

AKS has a program of this name on its nodes; kubelets run it when an image is pulled:
https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/. It asks the node's instance metadata
service for a token of the identity, and the registry for a login by that. It is run as a program, and needs the
standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105 - the user name that goes with a token
_RESOURCE = "https://management.azure.com/"
_SECONDS = 30


def main() -> int:
    """Answers the request of standard input; without a login, says why and gives 1."""
    request = json.load(sys.stdin)
    registry = request["image"].partition("/")[0]
    try:
        password = find_password(registry)
    except urllib.error.HTTPError as error:
        print(f"{error.url}: {error.code} {error.read().decode()}", file=sys.stderr)  # noqa: T201 (what a kubelet logs)
        return 1
    print(json.dumps(build_answer(request["apiVersion"], registry, password)))  # noqa: T201 (the protocol)
    return 0


def find_password(registry: str) -> str:
    """The registry's own token for the identity of this node.

    Raises:
        HTTPError: There is no identity, or it may do nothing in the registry.
    """
    metadata = os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    query = urllib.parse.urlencode({"api-version": "2018-02-01", "resource": _RESOURCE})
    asked = urllib.request.Request(  # noqa: S310 (what a node is told)
        f"{metadata}/metadata/identity/oauth2/token?{query}",
        headers={"Metadata": "true"},
    )
    given = {"grant_type": "access_token", "service": registry, "access_token": _ask(asked)["access_token"]}
    exchange = urllib.request.Request(
        f"https://{registry}/oauth2/exchange", data=urllib.parse.urlencode(given).encode()
    )
    return str(_ask(exchange)["refresh_token"])


def build_answer(version: str, registry: str, password: str) -> dict[str, Any]:
    """What a kubelet expects; it asks again for each pull."""
    return {
        "apiVersion": version,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": "0s",
        "auth": {registry: {"username": TOKEN_USER, "password": password}},
    }


def _ask(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


if __name__ == "__main__":
    sys.exit(main())
