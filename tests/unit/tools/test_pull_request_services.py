from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from tools.pull_request import __main__ as command
from tools.pull_request import comment, services

MARKER = comment.build_marker("azure-dev")


@dataclasses.dataclass
class Answers:
    """A service that knows certain requests; any other fails the test."""

    known: dict[tuple[str, str], object]
    sent: list[tuple[str, str, Any]] = dataclasses.field(default_factory=list)
    authorizations: set[str] = dataclasses.field(default_factory=set)

    def open(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        """What ``urlopen`` does."""
        body = json.loads(request.data) if isinstance(request.data, bytes) else None
        self.sent.append((request.get_method(), request.full_url, body))
        self.authorizations.add(str(request.get_header("Authorization")))
        answer = self.known[request.get_method(), request.full_url]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(json.dumps(answer).encode())


@pytest.fixture
def github(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a job on GitHub that runs for pull request 7."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": "https://api.test",
        "GITHUB_SERVER_URL": "https://hub.test",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "team/pets",
        "GITHUB_RUN_ID": "12",
        "GITHUB_TOKEN": "sesame",
    }


DEVOPS = {
    "TF_BUILD": "True",
    "SYSTEM_COLLECTIONURI": "https://dev.test/team/",
    "SYSTEM_TEAMPROJECT": "my pets",
    "BUILD_REPOSITORY_ID": "r1",
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "7",
    "BUILD_BUILDID": "12",
    "SYSTEM_ACCESSTOKEN": "sesame",
}

COMMENTS = "https://api.test/repos/team/pets/issues/7/comments"
THREADS = "https://dev.test/team/my%20pets/_apis/git/repositories/r1/pullRequests/7/threads"


def refuse(code: int, text: str) -> urllib.error.HTTPError:
    """An answer that is a refusal."""
    return urllib.error.HTTPError("https://api.test", code, "", Message(), io.BytesIO(text.encode()))


def test_github_gets_one_comment(github: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first preview adds it; who else has commented does not matter."""
    others = [{"id": 1, "body": f"not {MARKER}"}]
    answers = Answers({("GET", f"{COMMENTS}?per_page=100&page=1"): others, ("POST", COMMENTS): {"html_url": "u"}})
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    written = services.find_service(github).write(MARKER, f"{MARKER}\ntext")

    assert written == "u"
    assert answers.sent[-1] == ("POST", COMMENTS, {"body": f"{MARKER}\ntext"})
    assert answers.authorizations == {"Bearer sesame"}


def test_github_has_its_comment_replaced(github: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found on later pages, too."""
    first = [{"id": number, "body": "x"} for number in range(services.PAGE)]
    old = "https://api.test/repos/team/pets/issues/comments/200"
    answers = Answers(
        {
            ("GET", f"{COMMENTS}?per_page=100&page=1"): first,
            ("GET", f"{COMMENTS}?per_page=100&page=2"): [{"id": 200, "body": f"{MARKER}\nold"}],
            ("PATCH", old): {"html_url": "u"},
        }
    )
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    services.find_service(github).write(MARKER, "new")

    assert answers.sent[-1] == ("PATCH", old, {"body": "new"})


def test_azure_devops_gets_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is closed, so that it does not hold up the pull request."""
    url = f"{THREADS}?api-version=7.1"
    deleted = {"id": 1, "isDeleted": True, "comments": [{"id": 1, "content": MARKER}]}
    made = {"_links": {"self": {"href": "u"}}}
    answers = Answers({("GET", url): {"value": [deleted]}, ("POST", url): made})
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    written = services.find_service(DEVOPS).write(MARKER, "text")

    assert written == "u"
    assert answers.sent[-1][2]["status"] == "closed"
    assert answers.sent[-1][2]["comments"][0]["content"] == "text"


def test_azure_devops_has_its_comment_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that it began stays where it is."""
    old = f"{THREADS}/3/comments/1?api-version=7.1"
    thread = {"id": 3, "comments": [{"id": 1, "content": f"{MARKER}\nold"}]}
    answers = Answers(
        {
            ("GET", f"{THREADS}?api-version=7.1"): {"value": [thread]},
            ("PATCH", old): {"_links": {"self": {"href": "u"}}},
        }
    )
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    services.find_service(DEVOPS).write(MARKER, "new")

    assert answers.sent[-1] == ("PATCH", old, {"content": "new"})


def test_a_refusal_says_which_right_is_missing(github: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is not shown."""
    answers = Answers({("GET", f"{COMMENTS}?per_page=100&page=1"): refuse(403, "Resource not accessible")})
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    with pytest.raises(
        services.PullRequestError, match=r"403 Resource not accessible; .*pull-requests: write"
    ) as caught:
        services.find_service(github).write(MARKER, "text")

    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_EVENT_PATH"])
def test_a_variable_that_is_missing_is_named(name: str, github: dict[str, str]) -> None:
    """GitHub hands a step its token only where that is written down."""
    with pytest.raises(services.PullRequestError, match=f"{name} is not set"):
        services.find_service({**github, name: ""})


def test_outside_of_a_pull_request_there_is_nowhere_to_comment(tmp_path: pathlib.Path, github: dict[str, str]) -> None:
    """A push has no number."""
    (tmp_path / "event.json").write_text("{}")

    with pytest.raises(services.PullRequestError, match="not of a pull request"):
        services.find_service(github)
    with pytest.raises(services.PullRequestError, match="nowhere to comment"):
        services.find_service({})


def test_the_command_writes_the_preview_and_says_where(
    tmp_path: pathlib.Path, github: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A preview that failed before it printed anything is commented on, too."""
    answers = Answers({("GET", f"{COMMENTS}?per_page=100&page=1"): [], ("POST", COMMENTS): {"html_url": "the-page"}})
    monkeypatch.setattr(urllib.request, "urlopen", answers.open)

    code = command.main(
        ["--stack", "azure-dev", "--outcome", "failure", str(tmp_path / "missing.txt")], environment=github
    )

    body = answers.sent[-1][2]["body"]
    assert (code, capsys.readouterr().out) == (0, "the-page\n")
    assert body.startswith(MARKER)
    assert "failed" in body
    assert "https://hub.test/team/pets/actions/runs/12" in body
