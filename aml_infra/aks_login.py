"""The login of a kubeconfig for AKS: prints a token, as Kubernetes' clients ask for it.

They run ``python -m aml_infra.aks_login`` whenever they need a token, so that neither kubelogin nor kubectl has to be
there. See ``aks_kubeconfig``.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any

from aml_infra import aks_access, aks_kubeconfig, azure_client, azure_login
from aml_infra.errors import AmlInfraError


def build_answer(token: str, expires_on: float) -> dict[str, Any]:
    """What a client expects; it asks again when the token has ended."""
    ends = datetime.datetime.fromtimestamp(expires_on - aks_access.RENEW_SECONDS, datetime.timezone.utc)
    status = {"token": token, "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"apiVersion": aks_kubeconfig.EXEC_API, "kind": "ExecCredential", "status": status}


def main() -> int:
    """Prints a token of whoever is logged in to Azure; without one, says why and gives 1."""
    # What the credentials have to say comes with the error.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    try:
        credential = azure_login.open_credential()
        with azure_client.errors():
            token = credential.get_token(aks_access.SCOPE)
    except AmlInfraError as error:
        print(f"aml-infra: {error}", file=sys.stderr)  # noqa: T201 (what a client shows)
        return 1
    print(json.dumps(build_answer(token.token, token.expires_on)))  # noqa: T201 (the protocol)
    return 0


if __name__ == "__main__":
    sys.exit(main())
