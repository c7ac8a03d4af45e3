"""Questions to one registry: logins, repetitions, and what its answers mean.

The login is that of https://distribution.github.io/distribution/spec/auth/token/ and
https://distribution.github.io/distribution/spec/auth/oauth/.
"""

from __future__ import annotations

import base64
import http
import importlib.metadata
import ipaddress
import os
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from aml_infra.errors import AccessDenied, BackendUnavailable, RequestRefused
from aml_infra.image_references import HUB
from aml_infra.registry_logins import FindLogin, Login

if TYPE_CHECKING:
    import requests
    from requests.adapters import BaseAdapter

RETRIES = 5
"""How often a question is asked again that had no answer, or a passing error for one."""

PAUSE_SECONDS = 0.25
"""Before the second time, about; each time it is twice as long."""

MAX_PAUSE_SECONDS = 60.0
"""So long a registry's own wish is heeded."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0

READING = ("GET", "HEAD")

_HUB_HOST = "registry-1.docker.io"
_PASSING = (408, 429, 500, 502, 503, 504)
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_CHALLENGE = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,"]+))')
_SAID_CHARACTERS = 300


class RegistryConnection:
    """One registry, with one account.

    Certificates are checked against ``REQUESTS_CA_BUNDLE`` or ``SSL_CERT_FILE`` where one is set; ``HTTPS_PROXY`` is
    heeded.

    Args:
        server: host, with its port where it has one.
        find_login: gives the account, when the registry asks for one.
        insecure: servers that are asked without TLS; those on this machine always are.
        adapter: what sends; by default that of requests.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        server: str,
        find_login: FindLogin,
        *,
        insecure: Collection[str] = (),
        adapter: BaseAdapter | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import requests

        is_here = _is_on_this_machine(server)
        scheme = "http" if is_here or server in insecure else "https"
        self.server = server
        self._base = f"{scheme}://{_HUB_HOST if server == HUB else server}/v2/"
        self._find_login = find_login
        self._sleep = sleep
        self._login: Login | None = None
        self._tokens: dict[tuple[str, ...], str] = {}
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"aml-infra/{importlib.metadata.version('aml-infra')}"
        # Like Docker, who does not ask a proxy for this machine.
        self._session.trust_env = not is_here
        self._session.verify = os.environ.get("SSL_CERT_FILE") or True
        if adapter is not None:
            self._session.mount("https://", adapter)
            self._session.mount("http://", adapter)

    def ask(
        self, method: str, repository: str, path: str, *, source: str | None = None, **options: Any
    ) -> requests.Response | None:
        """Asks for what is at ``path`` of a repository.

        Args:
            method: of HTTP.
            repository: its name.
            path: below it.
            source: another repository that something is taken from.
            options: as requests takes them.

        Returns:
            The answer; None where something was to be read, and is not there.

        Raises:
            AccessDenied: the account may not, or is not accepted.
            BackendUnavailable: the registry does not answer, or not as long as we waited.
            RequestRefused: it refuses the request.
        """
        scopes = build_scopes(method, repository, source)
        url = urllib.parse.urljoin(self._base, f"{repository}/{path}")
        answer = self.insist(lambda: self.send(method, url, scopes, **options), scopes)
        return self.check(answer, method, repository, path)

    def require(self, method: str, repository: str, path: str, **options: Any) -> requests.Response:
        """What ``ask`` gives; that it is not there is an error, too."""
        answer = self.ask(method, repository, path, **options)
        if answer is None:
            raise RequestRefused(f"registry {self.server} has no {_cut_query(path)} in {repository}; was it removed?")
        return answer

    def send(self, method: str, url: str, scopes: tuple[str, ...], **options: Any) -> requests.Response:
        """Sends one request, once, with what the last login for ``scopes`` gave."""
        token = self._tokens.get(scopes) or self._tokens.get(())
        # The place of an upload may be another server's, which has its own way to know who comes.
        is_own = urllib.parse.urlsplit(url)[:2] == urllib.parse.urlsplit(self._base)[:2]

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if token and is_own:
                request.headers["Authorization"] = token
            return request

        options.setdefault("timeout", (CONNECT_SECONDS, ANSWER_SECONDS))
        # With a function of ours for it, requests does not look for a login of its own in ~/.netrc.
        return self._session.request(method, url, auth=authorize, allow_redirects=method in READING, **options)

    def insist(self, send: Callable[[], requests.Response], scopes: tuple[str, ...] | None) -> requests.Response:
        """Calls ``send`` until there is an answer that does not pass by itself; logs in where that is asked for.

        Args:
            send: does all of it anew each time.
            scopes: what the login must be good for; None where there is none to be made.

        Raises:
            AccessDenied, BackendUnavailable, RequestRefused: there is no answer, or no login.
        """
        import requests

        may_log_in, attempts = scopes is not None, 0
        while True:
            answer: requests.Response | None = None
            try:
                answer = send()
            except OSError as error:  # those of requests are such, and a file of certificates that is not there
                is_final = _UNTRUSTED in str(error) or not isinstance(error, requests.RequestException)
                if is_final or attempts == RETRIES:
                    raise BackendUnavailable(self._explain_loss(error)) from error
            else:
                if answer.status_code == http.HTTPStatus.UNAUTHORIZED and may_log_in and scopes is not None:
                    may_log_in = False
                    if self._log_in(answer, scopes):
                        continue
                if answer.status_code not in _PASSING or attempts == RETRIES:
                    return answer
                answer.close()
            self._sleep(_find_pause(answer, attempts))
            attempts += 1

    def check(self, answer: requests.Response, method: str, repository: str, path: str) -> requests.Response | None:
        """The answer, or None or an error as ``ask`` has it."""
        status = answer.status_code
        if status < http.HTTPStatus.MULTIPLE_CHOICES:
            return answer
        if status == http.HTTPStatus.NOT_FOUND and method in READING:
            answer.close()
            return None
        told = f"registry {self.server} answers {status} to {method} {repository}/{_cut_query(path)}"
        told += _read_error(answer)
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise AccessDenied(f"{told}; {self._explain_refusal(method)}")
        if status in _PASSING:
            raise BackendUnavailable(f"{told}, {RETRIES + 1} times; try again later")
        if status == http.HTTPStatus.NOT_FOUND:
            raise RequestRefused(f"{told}; make the repository there first, or give another one")
        raise RequestRefused(told)

    def _log_in(self, answer: requests.Response, scopes: tuple[str, ...]) -> bool:
        """Does what the registry's challenge asks for; gives whether there is something new to come with."""
        kind, _, rest = answer.headers.get("WWW-Authenticate", "").partition(" ")
        challenge = {name: quoted or plain for name, quoted, plain in _CHALLENGE.findall(rest)}
        self._login = self._find_login(self.server)
        if kind.lower() == "bearer" and "realm" in challenge:
            answer.close()
            self._tokens[scopes] = f"Bearer {self._fetch_token(challenge, scopes)}"
            return True
        if kind.lower() == "basic" and self._login is not None and self._login.username:
            answer.close()
            self._tokens[()] = _build_basic(self._login)
            return True
        return False

    def _fetch_token(self, challenge: Mapping[str, str], scopes: tuple[str, ...]) -> str:
        realm, login = urllib.parse.urljoin(self._base, challenge["realm"]), self._login
        if login is not None and realm.startswith("http:") and not self._base.startswith("http:"):
            raise RequestRefused(f"registry {self.server} wants its login sent to {realm}, where anybody can read it")
        fields = {"service": challenge.get("service", "")}
        if login is None or login.username:
            headers = {"Authorization": _build_basic(login)} if login is not None else {}
            query = {**fields, "scope": list(scopes)}
            answer = self._send_login("GET", realm, params=query, headers=headers)
        else:
            form = {"grant_type": "refresh_token", "client_id": "aml-infra", "refresh_token": login.password}
            answer = self._send_login("POST", realm, data={**fields, "scope": " ".join(scopes), **form})
        status = answer.status_code
        told = f"registry {self.server} answers {status} to a login{_read_error(answer)}"
        if status in _PASSING:
            raise BackendUnavailable(f"{told}, {RETRIES + 1} times; try again later")
        try:
            given = answer.json() if status == http.HTTPStatus.OK else {}
            return str(given.get("token") or given["access_token"])
        except (ValueError, KeyError, AttributeError):
            raise AccessDenied(f"{told}; {self._explain_refusal('GET')}") from None

    def _send_login(self, method: str, realm: str, **options: Any) -> requests.Response:
        timeout = (CONNECT_SECONDS, ANSWER_SECONDS)
        # As a function, so that the header stays what it is.
        options["auth"] = lambda request: request
        return self.insist(
            lambda: self._session.request(method, realm, timeout=timeout, allow_redirects=False, **options), None
        )

    def _explain_refusal(self, method: str) -> str:
        does = "pull from" if method in READING else "push to"
        fix = f"run `docker login {self.server}`, or give a pull secret with an account that may {does} it"
        if self._login is None:
            return f"there is no login for it: {fix}"
        user = f"user {self._login.username!r}" if self._login.username else "the identity token"
        return f"it was asked as {user}, which is that of {self._login.origin}: {fix}"

    def _explain_loss(self, error: OSError) -> str:
        """The innermost cause: those around it repeat the address, which may hold a token."""
        cause: BaseException = error
        while inner := cause.__cause__ or cause.__context__ or getattr(cause, "reason", None):
            if not isinstance(inner, BaseException):
                break
            cause = inner
        fix = "check its name and the network; it must speak TLS, as it is not on this machine"
        if _UNTRUSTED in str(error):
            fix = "name a file with the certificate of its authority in REQUESTS_CA_BUNDLE"
        elif self._base.startswith("http:"):
            fix = "check its name and the network"
        return f"registry {self.server} does not answer ({str(cause) or type(cause).__name__}); {fix}"


def build_scopes(method: str, repository: str, source: str | None = None) -> tuple[str, ...]:
    """What a login must be good for."""
    actions = "pull" if method in READING else "pull,push"
    return (f"repository:{repository}:{actions}", *([f"repository:{source}:pull"] if source else []))


def _is_on_this_machine(server: str) -> bool:
    host = urllib.parse.urlsplit(f"//{server}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _build_basic(login: Login) -> str:
    return f"Basic {base64.b64encode(f'{login.username}:{login.password}'.encode()).decode()}"


def _find_pause(answer: requests.Response | None, attempts: int) -> float:
    """Seconds: what the registry asks for, else longer each time, and not the same for all who wait."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util.retry import Retry

    told = answer.headers.get("Retry-After") if answer is not None else None
    if told is not None:
        try:
            return min(Retry().parse_retry_after(told), MAX_PAUSE_SECONDS)
        except InvalidHeader:
            pass
    return float(PAUSE_SECONDS * 2**attempts * random.uniform(0.5, 1.5))  # noqa: S311 (no secret)


def _cut_query(path: str) -> str:
    return path.partition("?")[0]


def _read_error(answer: requests.Response) -> str:
    """What the registry says of an error, in brackets; empty where it says nothing."""
    try:
        said = "; ".join(f"{each.get('code')}: {each.get('message')}" for each in answer.json()["errors"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({said[:_SAID_CHARACTERS]})" if said else ""
