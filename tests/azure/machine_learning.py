"""The services of Azure Machine Learning beside Resource Manager: discovery, run history, data, MLflow."""

from __future__ import annotations

import asyncio
import http
import json
import re
from collections.abc import Mapping
from typing import Any

from starlette import requests, responses

from tests.azure import directory, forwarding, front, mlflow_server, roles
from tests.azure.cloud import Cloud
from tests.azure.data_planes import Denied
from tests.azure.job_runs import history, identities, tracking
from tests.azure.resources import Resource

_AUDIENCES = ("https://ml.azure.com", "https://management.azure.com", "https://management.core.windows.net")
WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
_READ = f"{WORKSPACE}/experiments/runs/read"
_WRITE = f"{WORKSPACE}/experiments/runs/write"
_WORKSPACE = (
    r"(?P<workspace>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"Microsoft\.MachineLearningServices/workspaces/[^/]+)"
)
_MLFLOW = re.compile(rf"/mlflow/v[12]\.0{_WORKSPACE}(?P<rest>/.+)", re.IGNORECASE)
_HISTORY = re.compile(rf"/history/v1\.0{_WORKSPACE}(?P<rest>/.+)", re.IGNORECASE)
_DATA = re.compile(rf"/data/v1\.0{_WORKSPACE}/dataversion/batchGetResolvedUris", re.IGNORECASE)
_RUN = re.compile(r"/(?:experiments/(?P<experiment>[^/]+)/)?runs/(?P<run>[^/]+)(?P<details>/details)?")
_SERVICES = (
    "api", "catalog", "experimentation", "gallery", "history", "hyperdrive", "labeling", "modelmanagement", "pipelines",
    "studio",
)  # fmt: skip


class MachineLearning:
    """Serves ``<region>.api.azureml.ms``.

    Attributes:
        private: Whether callers come through private endpoints; else a workspace without public access refuses them.
    """

    def __init__(
        self,
        cloud: Cloud,
        forwarder: forwarding.Forwarder,
        server: mlflow_server.MlflowServer,
        tokens: identities.RunTokens,
    ) -> None:
        self.private = False
        self._cloud = cloud
        self._forwarder = forwarder
        self._server = server
        self._tracking = tracking.RunTracking(cloud)
        self._tokens = tokens

    async def __call__(self, scope: front.Scope, receive: front.Receive, send: front.Send) -> None:
        request = requests.Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Denied as error:
            body = {"error": {"code": error.code, "message": str(error), "details": []}, "statusCode": error.status}
            answer = responses.JSONResponse(body, error.status, error.headers)
        await answer(scope, receive, send)

    async def _answer(self, request: requests.Request) -> responses.Response:
        path, method = request.url.path, request.method
        if re.fullmatch(r"/discovery(/.*)?", path) and method == "GET":
            return responses.JSONResponse(dict.fromkeys(_SERVICES, f"https://{request.url.netloc}"))
        if found := _MLFLOW.fullmatch(path):
            # MLflow searches by POST: who only reads cannot be told from who writes by the method alone.
            reads = method == "GET" or found["rest"].endswith("/search")
            workspace = self._check(request, found["workspace"], reads=reads)
            return await self._pass_on(request, workspace, found["rest"])
        if found := _HISTORY.fullmatch(path):
            workspace = self._check(request, found["workspace"], reads=method != "PATCH")
            return await self._tell_history(request, workspace, found["rest"])
        if (found := _DATA.fullmatch(path)) and method == "POST":
            workspace = self._check(request, found["workspace"], reads=True)
            values = json.loads(await request.body())["values"]
            return responses.JSONResponse({"values": {value: self._resolve(workspace, value) for value in values}})
        raise Denied(http.HTTPStatus.NOT_FOUND, "NotFound", f"{method} {path} is not served")

    async def _pass_on(self, request: requests.Request, workspace: Resource, rest: str) -> responses.Response:
        """Has the MLflow server answer, which knows jobs by other ids than clients do."""
        place = await asyncio.to_thread(self._server.ensure, workspace.id)
        names = await asyncio.to_thread(self._tracking.bring_up_to_date, workspace, self._server.url, place)
        query = f"?{names.translate_query(request.url.query)}" if request.url.query else ""
        url = f"{self._server.url}{names.translate_path(rest)}{query}"
        is_json = request.headers.get("content-type", "").startswith("application/json")
        return await self._forwarder.forward(
            request,
            url,
            headers={"X-MLFLOW-WORKSPACE": place, "Host": url.split("/")[2]},
            # An answer that is compressed could not be translated.
            drop=["authorization", "accept-encoding"],
            content=names.translate_request(await request.body()) if is_json else None,
            rewrite=names.translate_answer,
        )

    def _check(self, request: requests.Request, workspace_id: str, *, reads: bool) -> Resource:
        """The workspace, if the caller may do this in it."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Denied(http.HTTPStatus.UNAUTHORIZED, "Unauthorized", "no bearer token was sent")
        run_scope = self._tokens.find_scope(token)
        workspace = self._cloud.resources.get(workspace_id)
        if run_scope is not None and workspace is not None and run_scope.lower() == workspace.id.lower():
            # A run may do this in its own workspace, and comes from a network that leads there.
            return self._check_region(request, workspace)
        try:
            principal = self._cloud.directory.identify(token, _AUDIENCES)
        except directory.TokenError as error:
            raise Denied(http.HTTPStatus.UNAUTHORIZED, "Unauthorized", f"the token is not accepted: {error}") from error
        if workspace is None:
            raise Denied(http.HTTPStatus.NOT_FOUND, "NotFound", f"the workspace {workspace_id} does not exist")
        self._check_region(request, workspace)
        if not self.private and workspace.properties.get("publicNetworkAccess") == "Disabled":
            raise Denied(
                http.HTTPStatus.FORBIDDEN, "Forbidden", "public network access is not allowed on this workspace"
            )
        if not roles.may(self._cloud, principal.object_id, _READ if reads else _WRITE, workspace.id):
            raise Denied(
                http.HTTPStatus.FORBIDDEN,
                "Forbidden",
                f"the principal {principal.object_id} has no role that allows this",
            )
        return workspace

    def _check_region(self, request: requests.Request, workspace: Resource) -> Resource:
        region = (request.url.hostname or "").partition(".")[0]
        if region != workspace.body["location"]:
            raise Denied(
                http.HTTPStatus.NOT_FOUND,
                "NotFound",
                f"the workspace is in {workspace.body['location']}, not in {region}",
            )
        return workspace

    async def _tell_history(self, request: requests.Request, workspace: Resource, rest: str) -> responses.Response:
        """What run history knows of the workspace's jobs."""
        if rest == "/rundata" and request.method == "POST":
            name = json.loads(await request.body())["runId"]
            run = history.build_run(self._cloud, self._find_job(workspace, name))
            return responses.JSONResponse({"runMetadata": run})
        found = _RUN.fullmatch(rest)
        if found is None:
            raise Denied(http.HTTPStatus.NOT_FOUND, "NotFound", f"{request.method} {request.url.path} is not served")
        job = self._find_job(workspace, found["run"])
        if request.method == "PATCH" and found["experiment"] and not found["details"]:
            _change(job, json.loads(await request.body()))
        elif request.method != "GET":
            raise Denied(http.HTTPStatus.METHOD_NOT_ALLOWED, "UserError", f"{request.method} is not served")
        if found["details"]:
            # The signatures of URLs may need Azurite to be started.
            return responses.JSONResponse(await asyncio.to_thread(history.build_details, self._cloud, job))
        return responses.JSONResponse(history.build_run(self._cloud, job))

    def _find_job(self, workspace: Resource, name: str) -> Resource:
        job = self._cloud.resources.get(f"{workspace.id}/jobs/{name}")
        if job is None:
            raise Denied(http.HTTPStatus.NOT_FOUND, "NotFound", f"run {name} was not found")
        return job

    def _resolve(self, workspace: Resource, value: str) -> Mapping[str, str]:
        """Where an output of a job is."""
        uri = history.find_output(self._cloud, workspace, value)
        if uri is None:
            raise Denied(http.HTTPStatus.BAD_REQUEST, "UserError", f"{value} is no data version of this workspace")
        return {"uri": uri, "type": "uri_folder"}


def _change(job: Resource, body: Mapping[str, Any]) -> None:
    """Changes what may change of a run; tags and properties are added to those that it has."""
    allowed = {"displayName", "description", "tags", "properties", "hidden"}
    if unknown := {name for name, value in body.items() if value is not None} - allowed:
        raise Denied(
            http.HTTPStatus.BAD_REQUEST, "UserError", f"{', '.join(sorted(unknown))} of a run cannot be changed"
        )
    kept = job.properties
    for name in ("displayName", "description"):
        if body.get(name) is not None:
            kept[name] = body[name]
    if body.get("hidden") is not None:
        kept["isArchived"] = body["hidden"]
    for name in ("tags", "properties"):
        kept[name] = {**(kept.get(name) or {}), **(body.get(name) or {})}
