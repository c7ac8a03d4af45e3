"""Waits until objects are ready, or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.kubernetes_stand_in import objects, pods, readiness
from tests.kubernetes_stand_in.api_server import ApiServer
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.kubernetes_stand_in.readiness import Wait
from tests.kubernetes_stand_in.transport import RefusedError, UnreachableError
from tests.plugin_stand_ins.errors import StandInError

_ROUND_SECONDS = 5
"""How long a watch is, at most: so soon is an interruption noticed, and so soon what a lost watch did not tell."""

_PAUSE_SECONDS = 1
_FINAL = frozenset({401, 403, 404})
"""What the API server answers whom it will not serve; other errors are of a moment."""

_POD = Kind(group="", version="v1", name="Pod")
_SLICE = Kind(group="discovery.k8s.io", version="v1", name="EndpointSlice")
_STORAGE_CLASS = Kind(group="storage.k8s.io", version="v1", name="StorageClass")
_SERVICE_SECONDS = 600

Things = Mapping[str, Object]
"""Objects by their names."""


class NotReadyError(Exception):
    """An object is not as waited for.

    Attributes:
        reasons: What is wrong with it, more exactly.
    """

    def __init__(self, text: str, reasons: list[str]) -> None:
        super().__init__(text)
        self.reasons = reasons


class Waits:
    """Waits for objects.

    Args:
        server: The API server.
        interrupted: Ends all waits when it is set.
        now: The time in seconds.
        pause: Waits so many seconds, or until ``interrupted``.
    """

    def __init__(
        self,
        server: ApiServer,
        interrupted: threading.Event,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._server = server
        self._interrupted = interrupted
        self._now = now
        self._pause = pause or interrupted.wait

    def wait_ready(self, kind: Kind, live: Object, seconds: float | None, *, is_new: bool) -> None:
        """Waits until an object is ready.

        Args:
            kind: Its kind.
            live: What it is at first.
            seconds: How long; None for as long as is usual for its kind.
            is_new: Whether it was just created.

        Raises:
            NotReadyError: If it is not ready in time, never will be, or the wait is interrupted.
        """
        wait = readiness.find_wait(kind)
        if kind.name == "Service" and _needs_endpoints(live):
            wait = Wait(test=lambda _: "", seconds=_SERVICE_SECONDS)
        if wait is None or (is_new and kind.name == "PersistentVolumeClaim" and self._is_bound_later(live)):
            return
        namespace, name = (objects.find_metadata(live, each) for each in ("namespace", "name"))
        deadline = self._now() + (wait.seconds if seconds is None else seconds)
        try:
            if kind.name == "Service":
                selector = {"labelSelector": f"kubernetes.io/service-name={name}"}
                self._wait(_SLICE, namespace, selector, _test_slices, name, deadline)
            else:
                selector = {"fieldSelector": f"metadata.name={name}"}
                self._wait(kind, namespace, selector, _build_test(wait, name), name, deadline)
        except readiness.FailedError as error:
            text = f"Resource '{name}' was created but failed to initialize"
            raise NotReadyError(text, [str(error), *self._describe_pods(live)]) from error
        except NotReadyError as error:
            error.reasons += self._describe_pods(live)
            raise

    def check_ready(self, kind: Kind, live: Object) -> None:
        """Looks at an object without waiting.

        Raises:
            NotReadyError: If it is of a kind whose refresh tells, and not ready.
        """
        wait = readiness.find_wait(kind)
        if wait is None or not wait.is_read:
            return
        try:
            obstacle = wait.test(live)
        except readiness.FailedError as error:
            obstacle = str(error)
        if obstacle:
            text = f"Resource '{objects.find_metadata(live, 'name')}' was created but failed to initialize"
            raise NotReadyError(text, [obstacle, *self._describe_pods(live)])

    def wait_gone(self, kind: Kind, namespace: str, name: str, seconds: float) -> None:
        """Waits until an object is gone.

        Raises:
            NotReadyError: If it is not gone in time, or the wait is interrupted.
        """

        def test(things: Things) -> str:
            finalizers = things[name]["metadata"].get("finalizers", ()) if name in things else ()
            blocking = f"finalizers might be preventing deletion ({', '.join(finalizers)})"
            return blocking if name in things else ""

        selector = {"fieldSelector": f"metadata.name={name}"}
        self._wait(kind, namespace, selector, test, name, self._now() + seconds)

    def _wait(
        self,
        kind: Kind,
        namespace: str,
        selector: Mapping[str, str],
        test: Callable[[Things], str],
        name: str,
        deadline: float,
    ) -> None:
        while True:
            obstacle = ""
            try:
                listed, since = self._server.list_all(kind, namespace, **selector)
                things = {each["metadata"]["name"]: each for each in listed}
                obstacle = test(things)
                left = min(deadline - self._now(), _ROUND_SECONDS)
                if not obstacle:
                    return
                if left > 0 and not self._interrupted.is_set():
                    for event, thing in self._server.watch(kind, namespace, since, left, **selector):
                        _take(things, event, thing)
                        if not test(things):
                            return
            except (UnreachableError, RefusedError) as error:
                obstacle = obstacle or str(error)
                if isinstance(error, RefusedError) and error.status in _FINAL:
                    raise NotReadyError(f"{kind.name} cannot be waited for: {error}", []) from error
                self._pause(_PAUSE_SECONDS)
            if self._interrupted.is_set():
                raise NotReadyError(f"Resource operation was cancelled for {name!r}", [obstacle])
            if self._now() >= deadline:
                raise NotReadyError(f"'{name}' timed out waiting to be Ready", [obstacle])

    def _is_bound_later(self, claim: Object) -> bool:
        storage_class = claim["spec"].get("storageClassName")
        if not storage_class:
            return False
        try:
            found = self._server.get(_STORAGE_CLASS, "", storage_class)
        except StandInError:
            return False  # there is none, or we may not see it: then it is waited for, as ever
        return found.get("volumeBindingMode") == "WaitForFirstConsumer"

    def _describe_pods(self, owner: Object) -> list[str]:
        selector = pods.build_selector(owner)
        if not selector:
            return []
        namespace = objects.find_metadata(owner, "namespace")
        try:
            found, _ = self._server.list_all(_POD, namespace, labelSelector=selector)
        except StandInError as error:
            return [f"pods cannot be looked at: {error}"]
        return [problem for pod in found for problem in pods.find_problems(pod)]


def _take(things: dict[str, Object], event: str, thing: Object) -> None:
    things[thing["metadata"]["name"]] = thing
    if event == "DELETED":
        del things[thing["metadata"]["name"]]


def _build_test(wait: Wait, name: str) -> Callable[[Things], str]:
    def test(things: Things) -> str:
        return wait.test(things[name]) if name in things else "it does not exist"

    return test


def _needs_endpoints(service: Object) -> bool:
    spec: Mapping[str, Any] = service["spec"]
    return spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName"


def _test_slices(slices: Things) -> str:
    if any(each.get("endpoints") for each in slices.values()):
        return ""
    return (
        "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match "
        "labels on any Pods"
    )
