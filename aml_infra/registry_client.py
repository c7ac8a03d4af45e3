"""Images in container registries: read, and put there with a layer on top.

Docker's daemon could do it too, but only after it has pulled an image of gigabytes to put some kilobytes on it. The
calls are those of https://github.com/opencontainers/distribution-spec/blob/main/spec.md, the login that of
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from aml_infra.errors import AccessDenied, BackendUnavailable, InvalidInput, Problem, RequestRefused

if TYPE_CHECKING:
    import requests

RETRIES = 5
"""How often a call is made again that had no answer, or a passing error for one."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0
CHUNK_BYTES = 1024 * 1024

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_ACCEPT = f"{OCI_MANIFEST}, {DOCKER_MANIFEST}, {OCI_INDEX}, {DOCKER_INDEX}"
_PASSING = (429, 500, 502, 503, 504)
_PLAIN = ("localhost", "127.0.0.1", "::1")
_HUB = "docker.io"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_REFERENCE = re.compile(
    r"(?P<repository>[a-z0-9]+([._/-]+[a-z0-9]+)*)(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)

Login = tuple[str, str]
FindLogin = Callable[[str], "Login | None"]
"""Name and password for a server; None where there is none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """An image, or a repository of images.

    Attributes:
        server: host, with its port where it has one.
        repository: the name there.
        version: digest or tag.
    """

    server: str
    repository: str
    version: str

    @property
    def name(self) -> str:
        """The repository with its server."""
        return f"{self.server}/{self.repository}"

    def pin(self, digest: str) -> str:
        """The image of this repository with a digest."""
        return f"{self.name}@{digest}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What describes an image, or images for several platforms.

    Attributes:
        digest: of the document.
        media_type: which kind it is.
        content: the document.
    """

    digest: str
    media_type: str
    content: Mapping[str, Any]


def parse_reference(text: str) -> Reference:
    """A reference as Docker reads it: without a server it is Docker Hub's, without a version ``latest``.

    Raises:
        InvalidInput: it is none.
    """
    first, slash, rest = text.partition("/")
    has_server = bool(slash) and ("." in first or ":" in first or first == "localhost")
    server, path = (first, rest) if has_server else (_HUB, text)
    found = _REFERENCE.fullmatch(path)
    if found is None:
        fix = "it is written as in 'server/name:tag' or 'server/name@sha256:...'"
        raise InvalidInput([Problem("image", f"is {text!r}, which is no reference of an image; {fix}")])
    repository = found["repository"]
    if server == _HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(server=server, repository=repository, version=found["digest"] or found["tag"] or "latest")


class RegistryClient:
    """One registry, with one account.

    Args:
        server: host, with its port where it has one. It is asked by HTTPS, but on this machine.
        find_login: gives the account, when the registry asks for one.
    """

    def __init__(self, server: str, find_login: FindLogin) -> None:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util.retry import Retry

        host = server.rpartition(":")[0] or server
        self.server = server
        self._base = f"{'http' if host.strip('[]') in _PLAIN else 'https'}://{_find_host(server)}/v2"
        self._find_login = find_login
        self._tokens: dict[str, str] = {}
        retry = Retry(
            total=RETRIES,
            allowed_methods=None,
            status_forcelist=_PASSING,
            backoff_factor=0.2,
            backoff_jitter=0.2,
            raise_on_status=False,
        )
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def find_digest(self, repository: str, version: str) -> str | None:
        """The digest of what a tag or digest names, or None where there is nothing.

        Raises:
            AccessDenied, BackendUnavailable, RequestRefused: the registry does not say.
        """
        answer = self._ask("HEAD", repository, f"manifests/{version}", headers={"Accept": _ACCEPT})
        return None if answer is None else answer.headers["Docker-Content-Digest"]

    def get_manifest(self, repository: str, version: str) -> Manifest | None:
        """What a tag or digest names, or None where there is nothing; the same errors."""
        answer = self._ask("GET", repository, f"manifests/{version}", headers={"Accept": _ACCEPT})
        if answer is None:
            return None
        content = answer.json()
        return Manifest(
            digest=f"sha256:{hashlib.sha256(answer.content).hexdigest()}",
            media_type=str(content.get("mediaType") or answer.headers["Content-Type"]),
            content=content,
        )

    def put_manifest(self, repository: str, tag: str, media_type: str, content: Mapping[str, Any]) -> str:
        """Makes ``content`` what ``tag`` names; gives its digest; the same errors."""
        text = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        self._require("PUT", repository, f"manifests/{tag}", data=text, headers={"Content-Type": media_type})
        return f"sha256:{hashlib.sha256(text).hexdigest()}"

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository has a blob; the same errors."""
        return self._ask("HEAD", repository, f"blobs/{digest}") is not None

    def read_blob(self, repository: str, digest: str) -> Iterator[bytes]:
        """A blob, piece by piece; the same errors, and ``RequestRefused`` where it is not what its digest says."""
        import requests

        seen = hashlib.sha256()
        answer = self._require("GET", repository, f"blobs/{digest}", stream=True)
        try:
            for chunk in answer.iter_content(CHUNK_BYTES):
                seen.update(chunk)
                yield chunk
        except requests.RequestException as error:
            raise BackendUnavailable(f"registry {self.server}: blob {digest} of {repository} broke off") from error
        if f"sha256:{seen.hexdigest()}" != digest:
            raise RequestRefused(f"registry {self.server}: blob {digest} of {repository} is not what its digest says")

    def mount_blob(self, repository: str, digest: str, source: str) -> bool:
        """Takes over a blob from another repository of the registry; gives whether it could; the same errors."""
        path = f"blobs/uploads/?mount={digest}&from={urllib.parse.quote(source, safe='')}"
        answer = self._require("POST", repository, path, scopes=(f"repository:{source}:pull",))
        return bool(answer.status_code == http.HTTPStatus.CREATED)

    def put_blob(self, repository: str, digest: str, content: IO[bytes]) -> None:
        """Puts a blob there, from the start of a file; the same errors."""
        started = self._require("POST", repository, "blobs/uploads/")
        place = urllib.parse.urljoin(started.url, started.headers["Location"])
        separator = "&" if "?" in place else "?"
        content.seek(0)
        headers = {"Content-Type": "application/octet-stream"}
        self._require("PUT", repository, f"{place}{separator}digest={digest}", data=content, headers=headers)

    def _require(self, method: str, repository: str, path: str, **options: Any) -> requests.Response:
        answer = self._ask(method, repository, path, **options)
        if answer is None:
            raise RequestRefused(f"registry {self.server} has nothing at {repository}, {path.partition('?')[0]}")
        return answer

    def _ask(
        self, method: str, repository: str, path: str, *, scopes: tuple[str, ...] = (), **options: Any
    ) -> requests.Response | None:
        import requests

        url = path if "://" in path else f"{self._base}/{repository}/{path}"
        actions = "pull" if method in ("GET", "HEAD") else "pull,push"
        wanted = (f"repository:{repository}:{actions}", *scopes)
        headers = options.pop("headers", {})
        try:
            answer = self._send(method, url, wanted, headers, options)
            if answer.status_code == http.HTTPStatus.UNAUTHORIZED and self._log_in(answer, wanted):
                if hasattr(options.get("data"), "seek"):
                    options["data"].seek(0)
                answer = self._send(method, url, wanted, headers, options)
        except requests.RequestException as error:
            reason = _explain_loss(error)
            raise BackendUnavailable(f"registry {self.server} does not answer: {reason}") from error
        return self._check(answer, method, repository)

    def _send(
        self, method: str, url: str, wanted: tuple[str, ...], headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> requests.Response:
        known = self._tokens.get(" ".join(wanted)) or self._tokens.get("")
        # A place for an upload may be another server's, which has its own way to know who comes.
        is_here = urllib.parse.urlsplit(url).netloc == urllib.parse.urlsplit(self._base).netloc
        own = {"Authorization": known} if known and is_here else {}
        return self._session.request(
            method, url, headers={**headers, **own}, timeout=(CONNECT_SECONDS, ANSWER_SECONDS), **options
        )

    def _log_in(self, answer: requests.Response, wanted: tuple[str, ...]) -> bool:
        """Does what the registry's challenge asks for; gives whether there is something new to come with."""
        import requests.auth

        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        answer.close()
        login = self._find_login(self.server)
        if kind.lower() == "basic" and login is not None:
            request = requests.Request("GET", self._base).prepare()
            self._tokens[""] = str(requests.auth.HTTPBasicAuth(*login)(request).headers["Authorization"])
            return True
        if kind.lower() != "bearer":
            return False
        challenge = dict(_CHALLENGE.findall(rest))
        query = [("service", challenge.get("service", "")), *(("scope", scope) for scope in wanted)]
        got = self._session.get(challenge["realm"], params=query, auth=login, timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
        if got.status_code != http.HTTPStatus.OK:
            return False
        told = got.json()
        self._tokens[" ".join(wanted)] = f"Bearer {told.get('token') or told.get('access_token')}"
        return True

    def _check(self, answer: requests.Response, method: str, repository: str) -> requests.Response | None:
        status = answer.status_code
        if status == http.HTTPStatus.NOT_FOUND and method in ("GET", "HEAD"):
            answer.close()
            return None
        if status < http.HTTPStatus.BAD_REQUEST:
            return answer
        said = _read_error(answer)
        what = f"registry {self.server} answers {status} to {method} in {repository}{said}"
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            does = "pull from" if method in ("GET", "HEAD") else "push to"
            raise AccessDenied(
                f"{what}; this account may not {does} {self.server}/{repository}: run `docker login {self.server}`, or "
                "give the cluster a registry with a login"
            )
        if status in _PASSING:
            raise BackendUnavailable(f"{what}; try again later")
        raise RequestRefused(what)


def _find_host(server: str) -> str:
    return "registry-1.docker.io" if server == _HUB else server


def _read_error(answer: requests.Response) -> str:
    try:
        errors = answer.json()["errors"]
        said = "; ".join(f"{each.get('code')}: {each.get('message')}" for each in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({said})" if said else ""


def _explain_loss(error: Exception) -> str:
    """The cause, without the address that was asked, which may hold a token."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return str(cause) or type(cause).__name__
