"""The cluster's objects, as plain mappings, through the official client."""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes import client, config, dynamic, stream, watch
from kubernetes.dynamic import exceptions, resource

Object = dict[str, Any]
_FIELD_MANAGER = "tests"


class Objects:
    """Reads and changes objects as the user of one kubeconfig. A kind is named with its API version: `batch/v1`, `Job`.

    Threads may share it.
    """

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        self.client: client.ApiClient = config.new_client_from_config(str(kubeconfig))
        self._kubeconfig = kubeconfig
        self._found: dynamic.DynamicClient | None = None
        self._finding = threading.Lock()

    def close(self) -> None:
        """Closes its connections."""
        self.client.rest_client.pool_manager.clear()

    def apply(self, manifest: Object) -> Object:
        """Creates or changes an object by server-side apply.

        Raises:
            kubernetes.client.ApiException: the API server refused it.
        """
        metadata = manifest["metadata"]
        kind = self._find(manifest["apiVersion"], manifest["kind"])
        return _unwrap(
            kind.server_side_apply(
                body=manifest, name=metadata["name"], namespace=metadata.get("namespace"),
                field_manager=_FIELD_MANAGER, force_conflicts=True,
            )
        )  # fmt: skip

    def read(self, version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """An object, None if there is none."""
        try:
            return _unwrap(self._find(version, kind).get(name=name, namespace=namespace))
        except exceptions.NotFoundError:
            return None

    def list_all(self, version: str, kind: str, namespace: str | None = None, *, labels: str = "") -> list[Object]:
        """All objects of a kind, of one namespace or of all, that a label selector selects."""
        found = self._find(version, kind).get(namespace=namespace, label_selector=labels or None)
        return list(_unwrap(found)["items"])

    def list_everything(self, namespace: str) -> Iterator[Object]:
        """All objects of a namespace, of whatever kind."""
        for kind in self._discover().resources.search(namespaced=True):
            # What a list of them is comes along with each kind.
            if not isinstance(kind, resource.ResourceList) and "list" in kind.verbs:
                yield from _unwrap(kind.get(namespace=namespace))["items"]

    def patch_status(self, version: str, kind: str, name: str, status: Object) -> None:
        """Changes parts of the status of an object that is in no namespace, by a merge patch."""
        patch = {"status": status}
        self._find(version, kind).status.patch(name=name, body=patch, content_type="application/merge-patch+json")

    def delete(self, version: str, kind: str, name: str, namespace: str | None = None) -> None:
        """Deletes an object, with what it owns in the background; one that is not there is no error."""
        body = {"propagationPolicy": "Background"}
        with contextlib.suppress(exceptions.NotFoundError):
            self._find(version, kind).delete(name=name, namespace=namespace, body=body)

    def execute(self, namespace: str, pod: str, *command: str) -> str:
        """Runs a command in a pod; gives what it printed to its standard output."""
        # The stream replaces a method of its client, which must not be the one that others use meanwhile.
        api = client.CoreV1Api(client.ApiClient(self.client.configuration))
        inside: Any = stream.stream(
            api.connect_get_namespaced_pod_exec, pod, namespace, command=list(command), stdout=True,
            _preload_content=False,
        )  # fmt: skip
        try:
            inside.run_forever()
            return str(inside.read_stdout())
        finally:
            inside.sock.shutdown()  # `close` leaves it open when the other side closed it first

    def wait_for(
        self,
        version: str,
        kind: str,
        name: str,
        condition: Callable[[Object], object],
        *,
        namespace: str | None = None,
        seconds: float = 60,
    ) -> Object:
        """Watches an object, also one that is not there yet, until `condition` of it is true; gives it.

        Raises:
            TimeoutError: it is not true after so many seconds; the text has the object's status, and its events.
        """
        last: Object = {}
        deadline = time.monotonic() + seconds
        # The API server may end a watch before its time.
        while (left := deadline - time.monotonic()) > 0:
            for event, last in self.watch(version, kind, namespace=namespace, name=name, seconds=left):
                if event != "DELETED" and condition(last):
                    return last
        said = self.describe_events(name, namespace or "default")
        raise TimeoutError(
            f"{kind} {name} is not as waited for after {seconds:g} s: {last.get('status', last)}; {said}"
        )

    def wait_gone(
        self, version: str, kind: str, name: str, *, namespace: str | None = None, seconds: float = 60
    ) -> None:
        """Waits until an object is no longer there.

        Raises:
            TimeoutError: it still is after so many seconds.
        """
        found = self.read(version, kind, name, namespace)
        if found is None:
            return
        since = found["metadata"]["resourceVersion"]
        for event, _ in self.watch(version, kind, namespace=namespace, name=name, seconds=seconds, since=since):
            if event == "DELETED":
                return
        raise TimeoutError(f"{kind} {name} is still there after {seconds:g} s: {found['metadata']}")

    def watch(
        self, version: str, kind: str, *, namespace: str | None, name: str, seconds: float, since: str | None = None
    ) -> Iterator[tuple[str, Object]]:
        """What happens to an object for so many seconds: `ADDED`, `MODIFIED` or `DELETED`, and the object."""
        watcher = watch.Watch()
        events = self._find(version, kind).watch(
            namespace=namespace, name=name, timeout=max(1, round(seconds)), resource_version=since, watcher=watcher
        )
        try:
            for event in events:
                yield event["type"], event["raw_object"]
        finally:
            events.close()

    def describe_events(self, name: str, namespace: str) -> str:
        """What was said of an object and of those named after it, as its pods; for errors."""
        found = self.list_all("v1", "Event", namespace)
        lines = [
            f"{each['involvedObject']['kind']} {each['involvedObject']['name']}: {each['reason']}: {each['message']}"
            for each in found
            if each["involvedObject"]["name"].startswith(name)
        ]
        return "events: " + ("\n".join(lines) or "none")

    def _find(self, version: str, kind: str) -> Any:
        found = self._discover()
        with self._finding:
            return found.resources.get(api_version=version, kind=kind)

    def _discover(self) -> dynamic.DynamicClient:
        with self._finding:
            if self._found is None:
                # The default is a file that all clusters at this address have shared since the machine started.
                cache = self._kubeconfig.with_suffix(".discovery.json")
                self._found = dynamic.DynamicClient(self.client, cache_file=str(cache))
            return self._found


def _unwrap(found: Any) -> Object:
    return dict(found.to_dict())
