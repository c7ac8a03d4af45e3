"""Runs inside a job, before its command: asks for the secret environment variables with the cluster's identity.

It is sent as text and knows nothing of aml-infra: every Python from 3.5 on runs it. See
https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication.
"""

import json
import os
import sys
import urllib.parse
import urllib.request

ENDPOINT = "https://management.azure.com"


def main() -> None:
    """Becomes the command that its arguments are, with the variables set."""
    connection = os.environ.pop("AML_INFRA_SECRETS")
    del os.environ["AML_INFRA_START"]
    query = {"api-version": "2017-09-01", "resource": ENDPOINT + "/"}
    if "DEFAULT_IDENTITY_CLIENT_ID" in os.environ:
        query["clientid"] = os.environ["DEFAULT_IDENTITY_CLIENT_ID"]
    login = os.environ["MSI_ENDPOINT"] + "?" + urllib.parse.urlencode(query)
    token = ask(login, {"secret": os.environ.get("MSI_SECRET", "")}, None)["access_token"]
    url = ENDPOINT + connection + "/listsecrets?api-version=2025-12-01"
    found = ask(url, {"Authorization": "Bearer " + token, "Content-Type": "application/json"}, b"{}")
    os.environ.update(found["properties"]["credentials"]["keys"])
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (the job's own command)


def ask(url: str, headers: "dict[str, str]", body: "bytes | None") -> "dict":  # type: ignore[type-arg]
    """The answer of a service, which is JSON."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310 (https, and the machine's own)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return dict(json.loads(answer.read().decode()))


if __name__ == "__main__":
    main()
