"""A stand-in for ``pulumi-resource-docker``, for tests only: without its official download it cannot be had.

It serves the one function that aml-infra uses of pulumi-docker, ``getRegistryImage``, and asks a real registry. As the
real one it takes the credentials from the provider's configuration, by host, and HTTPS where an address has no scheme.
Anything else that it is asked for is an error.
"""

from __future__ import annotations

import json
from typing import Any

import grpc
import requests
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.local_registry import ACCEPT
from tests.plugin_stand_ins import process, protocol

TOKEN = "docker:index/getRegistryImage:getRegistryImage"  # noqa: S105 - a name of Pulumi's
CONFIGURATION = {"disableDockerDaemonCheck", "registryAuth", "host", "version"}


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Strict: what is not defined here fails as not implemented."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, str]] = {}

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version="5.2.0")

    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        unknown = set(json_format.MessageToDict(request.news)) - CONFIGURATION
        failures = [provider_pb2.CheckFailure(property=name, reason="is not known here") for name in unknown]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        given = protocol.decode(request.args)
        if given.get("disableDockerDaemonCheck") not in (True, "true"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the real plugin would ask the Docker daemon")
        accounts = given.get("registryAuth", "[]")
        for account in json.loads(accounts) if isinstance(accounts, str) else accounts:
            address = account["address"]
            full = address if "://" in address else f"https://{address}"
            self._accounts[full.partition("://")[2]] = {**account, "address": full}
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        args = json_format.MessageToDict(request.args)
        if request.tok != TOKEN or set(args) != {"name"}:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{request.tok} with {sorted(args)}")
        try:
            digest = self._find_digest(args["name"])
        except requests.RequestException as error:
            failure = provider_pb2.CheckFailure(reason=f"Got error when attempting to fetch image version: {error}")
            return provider_pb2.InvokeResponse(failures=[failure])
        answer = struct_pb2.Struct()
        answer.update({"id": digest, "name": args["name"], "sha256Digest": digest, "insecureSkipVerify": False})
        response = provider_pb2.InvokeResponse()
        # The field has the name of a keyword.
        getattr(response, "return").CopyFrom(answer)
        return response

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def _find_digest(self, name: str) -> str:
        host, _, rest = name.partition("/")
        repository, _, tag = rest.partition("@") if "@" in rest else rest.partition(":")
        account = self._accounts.get(host, {"address": f"https://{host}"})
        auth = (account["username"], account["password"]) if "username" in account else None
        url = f"{account['address']}/v2/{repository}/manifests/{tag or 'latest'}"
        answer = requests.head(url, auth=auth, headers={"Accept": ACCEPT}, timeout=10)
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]


def main() -> None:
    """Serves until the engine ends it."""
    process.serve(lambda _: StandIn())


if __name__ == "__main__":
    main()
