"""A connection to one namespace of a Kubernetes cluster, request by request.

It is the official client's, less its models: what is sent and what is answered are plain data, as the API's reference
has them (https://kubernetes.io/docs/reference/kubernetes-api/). Its login is kubectl's, its retries are urllib3's.

Four answers are kept apart: what is gone (``None``), what is there already (``Conflict``), what this account may not
(``AccessDenied``), and no answer (``BackendUnavailable``).
"""

from __future__ import annotations

import contextlib
import http
import json
import os
import pathlib
import socket
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aml_infra.backends import kubernetes_aks
from aml_infra.errors import AccessDenied, BackendUnavailable, InvalidInput, Problem, RequestRefused

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.client.rest import RESTResponse

RETRIES = 5
"""How often a request is sent again that had no answer, or a passing error for one."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
WATCH_SECONDS = 240
"""After so long the server ends a watch, and the client begins the next one where it was."""

_PING_SECONDS = 30.0
_STDOUT, _STDERR, _STATUS = 1, 2, 3
"""Channels of a connection to a program in a pod."""

_DENIED = "denied the request"
"""What the API server says for a webhook that judges objects, such as a policy's."""

_PASSING = (429, 500, 502, 503, 504)


class Conflict(RequestRefused):
    """The name is taken, or what was to be changed has changed meanwhile."""


class Expired(RequestRefused):
    """The server no longer knows what came after the version that a watch was to begin at."""


class KubernetesApi:
    """Asks the API server about one namespace.

    Args:
        configuration: of the official client.
        namespace: where objects are.
        place: the cluster in words, for errors.
    """

    def __init__(self, configuration: Configuration, namespace: str, place: str) -> None:
        from kubernetes.client import ApiClient
        from urllib3.util.retry import Retry

        configuration.retries = Retry(
            total=RETRIES,
            allowed_methods=None,
            status_forcelist=_PASSING,
            backoff_factor=0.2,
            backoff_jitter=0.2,
            raise_on_status=False,
        )
        # Each run that is followed holds connections of its own.
        configuration.connection_pool_maxsize = 64
        self.namespace = namespace
        self.place = place
        self._client: ApiClient = ApiClient(configuration)

    def locate(self, kind: str, name: str = "") -> str:
        """The path of an object of the namespace, or of all of its kind.

        Args:
            kind: group, version and plural, as in ``batch/v1/jobs``; ``v1/pods`` of the core group.
            name: of the object.
        """
        version, _, plural = kind.rpartition("/")
        root = "/apis" if "/" in version else "/api"
        path = f"{root}/{version}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """The object, or None where there is none.

        Raises:
            AccessDenied, BackendUnavailable, RequestRefused: see the module.
        """
        return self._ask("GET", self.locate(kind, name))

    def get_namespace(self) -> dict[str, Any] | None:
        """The namespace itself, or None; the same errors."""
        return self._ask("GET", f"/api/v1/namespaces/{self.namespace}")

    def list_nodes(self) -> list[dict[str, Any]]:
        """All nodes of the cluster; the same errors."""
        return list((self.list_at("/api/v1/nodes") or {}).get("items") or ())

    def list(self, kind: str, selector: str = "", *, field_selector: str = "") -> list[dict[str, Any]]:
        """The objects with these labels; the same errors."""
        return list((self.list_at(self.locate(kind), selector, field_selector=field_selector) or {}).get("items") or ())

    def list_at(self, path: str, selector: str = "", *, field_selector: str = "") -> dict[str, Any] | None:
        """What the server has at ``path``, with the version of the list; None where there is no such kind."""
        given = {"labelSelector": selector, "fieldSelector": field_selector}
        return self._ask("GET", path, {key: value for key, value in given.items() if value})

    def may(self, verb: str, resource: str) -> bool:
        """Whether this account may do something in the whole cluster; the same errors."""
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": verb, "resource": resource}},
        }
        found = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body) or {}
        return bool((found.get("status") or {}).get("allowed"))

    def create(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as it was made.

        It is sent again where no answer came, so that ``Conflict`` may speak of what this very call has made.

        Raises:
            Conflict: there is one of this name.
            AccessDenied, BackendUnavailable, RequestRefused: see the module.
        """
        made = self._ask("POST", self.locate(kind), body=body)
        if made is None:
            raise RequestRefused(f"{self.place} has no namespace {self.namespace!r}, or does not know {kind}")
        return made

    def patch(self, kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Merges ``body`` into the object; None where there is none; ``Conflict`` where its version is another."""
        return self._ask("PATCH", self.locate(kind, name), body=body)

    def delete(self, kind: str, name: str, *, grace_seconds: int | None = None) -> None:
        """Deletes the object, and what it owns, if it is there."""
        body: dict[str, Any] = {"propagationPolicy": "Foreground" if kind == "batch/v1/jobs" else "Background"}
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        self._ask("DELETE", self.locate(kind, name), body=body)

    def watch(self, kind: str, selector: str, version: str) -> Iterator[dict[str, Any]]:
        """The events of objects with these labels since ``version``; ends when the server, or the network, ends it.

        Raises:
            Expired: ``version`` is too old.
            AccessDenied, BackendUnavailable, RequestRefused: see the module.
        """
        query = {
            "watch": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._errors():
            response = self._send("GET", self.locate(kind), query, None, (CONNECT_SECONDS, WATCH_SECONDS + 30))
            try:
                self._require_success(response, "GET", self.locate(kind))
                yield from _read_events(response)
            finally:
                response.response.release_conn()

    def open_exec(self, pod: str, argv: Sequence[str]) -> Exec:
        """Starts a program in a pod.

        Raises:
            AccessDenied, BackendUnavailable, RequestRefused: see the module.
        """
        from kubernetes.stream import ws_client

        query = [("command", word) for word in argv] + [("stdout", "true"), ("stderr", "true")]
        path = f"{self.locate('v1/pods', pod)}/exec"
        _, url, headers, _, _ = self._client.param_serialize(
            "GET", path, query_params=query, auth_settings=["BearerToken"]
        )
        with self._errors(path):
            opened = ws_client.WSClient(
                self._client.configuration,
                ws_client.get_websocket_url(url),
                # The client's own spelling, which its websocket looks for.
                {key.lower(): value for key, value in headers.items()},
                capture_all=False,
                binary=True,
            )
        return Exec(opened)

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        with self._errors():
            response = self._send(method, path, query or {}, body, (CONNECT_SECONDS, ANSWER_SECONDS))
            if response.status == http.HTTPStatus.NOT_FOUND:
                response.read()
                return None
            self._require_success(response, method, path)
            return dict(json.loads(response.read()))

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        seconds: tuple[float, float],
    ) -> RESTResponse:
        types = {"POST": "application/json", "DELETE": "application/json", "PATCH": "application/merge-patch+json"}
        headers = {"Accept": "application/json", **({"Content-Type": types[method]} if method in types else {})}
        _, url, headers, _, _ = self._client.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, auth_settings=["BearerToken"]
        )
        return self._client.call_api(method, url, headers, body, _request_timeout=seconds)

    def _require_success(self, response: RESTResponse, method: str, path: str) -> None:
        """Raises what the answer says, where that is an error; of any other, nothing is read yet."""
        if response.status < http.HTTPStatus.MULTIPLE_CHOICES:
            return
        content = response.read().decode("utf-8", "replace")
        try:
            message = str(json.loads(content).get("message") or content)
        except ValueError:
            message = content[:500]
        raise _explain(response.status, f"{self.place}: {message}", f"{method} {path}")

    @contextlib.contextmanager
    def _errors(self, path: str = "") -> Iterator[None]:
        """Turns the client's errors into ours."""
        import urllib3.exceptions
        import websocket
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config.config_exception import ConfigException

        try:
            yield
        except websocket.WebSocketBadStatusException as error:
            raise _explain(error.status_code, f"{self.place}: {error}", path) from error
        except (urllib3.exceptions.HTTPError, ApiException, OSError, websocket.WebSocketException) as error:
            # The client's other errors speak of what was sent, which is ours.
            reason = getattr(error, "reason", None) or error
            raise BackendUnavailable(
                f"{self.place} does not answer ({reason}); look whether `kubectl cluster-info` reaches it from here"
            ) from error
        except ConfigException as error:
            raise AccessDenied(f"{self.place}: the login of the kubeconfig cannot be used: {error}") from error


class Exec:
    """A program that runs in a pod."""

    def __init__(self, opened: Any) -> None:
        self._socket = opened
        self._lost: Exception | None = None

    def read(self) -> Iterator[bytes]:
        """What the program prints, until it ends.

        Raises:
            BackendUnavailable: the connection was lost, or the program failed; the message has its last words.
        """
        said = bytearray()
        try:
            going = True
            while going:
                self._wait()
                # Taking what has come reads on, maybe to the end: then there is more to take.
                going = self._lost is None and bool(self._socket.is_open())
                if content := self._take(_STDOUT):
                    yield content
                said += self._take(_STDERR)
            status = json.loads(self._take(_STATUS) or b"{}")
        finally:
            self._close()
        # The server lets go of the connection as soon as it has said how the program ended.
        if not status:
            raise BackendUnavailable(f"the connection to a program in a pod was lost: {self._lost or 'it was closed'}")
        if status["status"] != "Success":
            words = said.decode("utf-8", "replace").strip() or status.get("message")
            raise BackendUnavailable(f"a program in a pod ended early: {words}")

    def _wait(self) -> None:
        """Waits for what comes."""
        began = time.monotonic()
        with self._noting_loss():
            self._socket.update(timeout=_PING_SECONDS)
            if self._socket.is_open() and time.monotonic() - began >= _PING_SECONDS:
                # What stands between may end a connection on which nothing is heard.
                self._socket.sock.ping()

    def _take(self, channel: int) -> bytes:
        """What has come on a channel."""
        with self._noting_loss():
            return bytes(self._socket.read_channel(channel) or b"")
        return b""

    @contextlib.contextmanager
    def _noting_loss(self) -> Iterator[None]:
        """Notes what has ended the connection, if something does."""
        import websocket

        try:
            yield
        except (OSError, websocket.WebSocketException) as error:
            self._lost = error

    def stop(self) -> None:
        """Ends ``read``, from another thread: its connection is cut."""
        # Closing it is for whoever reads, who would be surprised.
        raw = getattr(self._socket.sock, "sock", None)
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        self._socket.close()
        # Which leaves it open where the other side closed it first.
        self._socket.sock.shutdown()


def open_api(options: Mapping[str, str]) -> KubernetesApi:
    """The namespace that a backend's options name, with the login that kubectl would use.

    Args:
        options: ``kubeconfig``, a path; ``context`` in it; or ``aks_id``, of a cluster that is asked with the login of
            Azure; and ``namespace``.

    Raises:
        InvalidInput: the kubeconfig cannot be read, or has no such context.
        AccessDenied, BackendUnavailable, RequestRefused: of ``aks_id``, what Azure says.
    """
    if options.get("aks_id"):
        built, place = kubernetes_aks.build_configuration(options["aks_id"])
        return KubernetesApi(built, options.get("namespace") or "default", place)
    from kubernetes import config
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException

    configuration = Configuration()
    given = options.get("kubeconfig") or ""
    # The state may be of another machine, where it was another path.
    path = given if given and os.path.exists(given) else find_kubeconfig() or given
    namespace = options.get("namespace") or "default"
    if not path and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)
        return KubernetesApi(configuration, namespace, "the cluster that this runs in")
    if not path:
        fix = "set KUBECONFIG, or give the path of one, as `kubectl config view` shows it"
        raise InvalidInput([Problem("compute.kubeconfig", f"is not given, and there is no ~/.kube/config; {fix}")])
    try:
        config.load_kube_config(path, options.get("context") or None, configuration)
        _, current = config.list_kube_config_contexts(path)
    except (ConfigException, OSError, ValueError) as error:
        raise InvalidInput([Problem("compute.kubeconfig", f"{path!r} cannot be used: {error}")]) from error
    name = options.get("context") or current["name"]
    host = urllib.parse.urlsplit(configuration.host).netloc
    return KubernetesApi(configuration, namespace, f"the Kubernetes cluster of context {name!r} at {host}")


def find_kubeconfig() -> str | None:
    """What kubectl would take: the paths in ``KUBECONFIG``, else ``~/.kube/config`` if it is there."""
    if os.environ.get("KUBECONFIG"):
        return os.environ["KUBECONFIG"]
    usual = pathlib.Path.home() / ".kube" / "config"
    return str(usual) if usual.is_file() else None


def _read_events(response: RESTResponse) -> Iterator[dict[str, Any]]:
    pending = b""
    for chunk in response.response.stream(amt=None, decode_content=False):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise _explain(int(event["object"].get("code") or 500), str(event["object"].get("message")), "watch")
            yield event


def _explain(status: int, message: str, what: str) -> Exception:
    """The error of ours that an answer is."""
    if status == http.HTTPStatus.FORBIDDEN and _DENIED in message:
        # It is about what was asked for, and not about who has asked.
        return RequestRefused(f"{what} was refused: {message}")
    if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return AccessDenied(f"{message}; docs/kubernetes.md lists the rights that are needed")
    if status == http.HTTPStatus.CONFLICT:
        return Conflict(message)
    if status == http.HTTPStatus.GONE:
        return Expired(message)
    if status in _PASSING or status == http.HTTPStatus.NOT_FOUND:
        return BackendUnavailable(f"{what}: {message}")
    return RequestRefused(f"{what} was refused: {message}")
