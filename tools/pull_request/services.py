"""Where the comment goes: a pull request on GitHub or on Azure DevOps, as the pipeline's environment says.

- https://docs.github.com/rest/issues/comments
- https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-threads
"""

from __future__ import annotations

import base64
import dataclasses
import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, Protocol

TIMEOUT_SECONDS = 30
PAGE = 100


class PullRequestError(Exception):
    """The comment could not be written; the message says the fix."""


class Service(Protocol):
    """A place for comments."""

    @property
    def limit(self) -> int:
        """Characters that a comment may have."""
        ...

    @property
    def run_url(self) -> str:
        """The page of the pipeline's run; empty if it has none."""
        ...

    def write(self, marker: str, text: str) -> str:
        """Puts ``text`` in place of the comment that has ``marker``, or adds it; returns the comment's page."""
        ...


def find_service(environment: Mapping[str, str]) -> Service:
    """The service whose pipeline this is.

    Raises:
        PullRequestError: it is none, or not of a pull request, or there is no token.
    """
    if environment.get("GITHUB_ACTIONS") == "true":
        event = json.loads(pathlib.Path(_require(environment, "GITHUB_EVENT_PATH")).read_text(encoding="utf-8"))
        number = event.get("pull_request", {}).get("number")
        if number is None:
            raise PullRequestError("this run is not of a pull request; run it on `pull_request` events")
        return GitHub(
            api=_require(environment, "GITHUB_API_URL"),
            repository=_require(environment, "GITHUB_REPOSITORY"),
            number=int(number),
            token=_require(environment, "GITHUB_TOKEN"),
            run_url="{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(environment),
        )
    if environment.get("TF_BUILD") == "True":
        collection = _require(environment, "SYSTEM_COLLECTIONURI")
        project = urllib.parse.quote(_require(environment, "SYSTEM_TEAMPROJECT"))
        return AzureDevOps(
            repository=f"{collection}{project}/_apis/git/repositories/{_require(environment, 'BUILD_REPOSITORY_ID')}",
            number=int(_require(environment, "SYSTEM_PULLREQUEST_PULLREQUESTID")),
            token=_require(environment, "SYSTEM_ACCESSTOKEN"),
            run_url=f"{collection}{project}/_build/results?buildId={_require(environment, 'BUILD_BUILDID')}",
        )
    raise PullRequestError(
        "this is neither a run of GitHub Actions nor of Azure Pipelines; there is nowhere to comment"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GitHub:
    """A pull request on GitHub; ``token`` may write to pull requests (``pull-requests: write``)."""

    api: str
    repository: str
    number: int
    token: str = dataclasses.field(repr=False)
    run_url: str = ""
    limit: int = 65_536

    def write(self, marker: str, text: str) -> str:
        """See ``Service``."""
        comments = f"{self.api}/repos/{self.repository}/issues"
        found = self._find(f"{comments}/{self.number}/comments", marker)
        if found is None:
            answer = self._ask("POST", f"{comments}/{self.number}/comments", {"body": text})
        else:
            answer = self._ask("PATCH", f"{comments}/comments/{found}", {"body": text})
        return str(answer["html_url"])

    def _find(self, url: str, marker: str) -> int | None:
        page = 1
        while True:
            comments = self._ask("GET", f"{url}?per_page={PAGE}&page={page}")
            for comment in comments:
                if str(comment["body"]).startswith(marker):
                    return int(comment["id"])
            if len(comments) < PAGE:
                return None
            page += 1

    def _ask(self, method: str, url: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        return send(method, url, headers, body, "give the job the permission `pull-requests: write`")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AzureDevOps:
    """A pull request on Azure DevOps; ``token`` is ``$(System.AccessToken)``."""

    repository: str
    number: int
    token: str = dataclasses.field(repr=False)
    run_url: str = ""
    limit: int = 150_000

    def write(self, marker: str, text: str) -> str:
        """See ``Service``."""
        threads = f"{self.repository}/pullRequests/{self.number}/threads"
        found = self._find(threads, marker)
        comment = {"parentCommentId": 0, "content": text, "commentType": "text"}
        if found is None:
            # Closed, so that it does not wait for an answer before the pull request can be completed.
            answer = self._ask("POST", threads, {"comments": [comment], "status": "closed"})
            return str(answer["_links"]["self"]["href"])
        thread, number = found
        answer = self._ask("PATCH", f"{threads}/{thread}/comments/{number}", {"content": text})
        return str(answer["_links"]["self"]["href"])

    def _find(self, threads: str, marker: str) -> tuple[int, int] | None:
        for thread in self._ask("GET", threads)["value"]:
            for comment in thread["comments"]:
                if not thread.get("isDeleted") and str(comment.get("content", "")).startswith(marker):
                    return int(thread["id"]), int(comment["id"])
        return None

    def _ask(self, method: str, url: str, body: object = None) -> Any:
        token = base64.b64encode(f":{self.token}".encode()).decode()
        fix = "allow the project's build service to `Contribute to pull requests` in the repository's security settings"
        return send(method, f"{url}?api-version=7.1", {"Authorization": f"Basic {token}"}, body, fix)


def send(method: str, url: str, headers: Mapping[str, str], body: object, fix: str) -> Any:
    """The service's answer, read.

    Raises:
        PullRequestError: it refuses, or does not answer; ``fix`` says what to do about a refusal.
    """
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the pipeline's own service
        url, content, {**headers, "Content-Type": "application/json", "User-Agent": "aml-infra"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(300).decode(errors="replace").strip()
        advice = f"; {fix}" if error.code in (401, 403, 404) else ""
        raise PullRequestError(f"{method} {url} was refused: {error.code} {said}{advice}") from error
    except (OSError, ValueError) as error:
        raise PullRequestError(f"{method} {url} has no answer: {error}") from error


def _require(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise PullRequestError(f"{name} is not set; hand it to this step in its `env`")
    return value
