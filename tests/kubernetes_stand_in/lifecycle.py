"""What happens to one object: made, changed, read and deleted, in plain data."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.kubernetes_stand_in import checkpoints, normalization, objects, ownership, secrecy
from tests.kubernetes_stand_in.api_server import CUSTOM_DEFINITION, ApiServer, UnknownKindError
from tests.kubernetes_stand_in.checkpoints import Checkpoint
from tests.kubernetes_stand_in.objects import Kind, Object
from tests.kubernetes_stand_in.transport import RefusedError
from tests.kubernetes_stand_in.waiting import NotReadyError, Waits
from tests.plugin_stand_ins.errors import InitFailedError, Made, StandInError

_NOT_FOUND = 404
_CONFLICT = 409
_FORBIDDEN = 403
_CREATE_PAUSES = (1, 2, 4, 8, 16)
_DELETE_SECONDS = 600
_DELETED_UNAWAITED = frozenset({"Namespace", "DaemonSet", "Deployment", "Job"})
"""``pulumi.com/skipAwait`` counts for the deletion of these, too."""
_POLICIES = {"orphan": "Orphan", "background": "Background"}
_CONFLICT_GUIDE = (
    "Server-Side Apply field conflict detected. See "
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/"
    "#handle-field-conflicts-on-existing-resources for troubleshooting help."
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How objects are changed.

    Attributes:
        is_forced: Whether fields are taken from whoever manages them.
        is_upserting: Whether what exists is adopted.
    """

    is_forced: bool = False
    is_upserting: bool = False


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the engine asks for.

    Attributes:
        urn: The resource.
        kind: Its kind.
        inputs: Its inputs, plain.
        given: The same with what is secret marked.
        seconds: How long may be waited; None for what the annotation or the kind says.
        is_preview: Whether nothing may change.
    """

    urn: str
    kind: Kind
    inputs: Object
    given: Mapping[str, Any]
    seconds: float | None = None
    is_preview: bool = False

    def find_seconds(self) -> float | None:
        """How long may be waited; None for what the kind says."""
        if self.seconds:
            return self.seconds
        stated = objects.find_annotation(self.inputs, objects.TIMEOUT_SECONDS)
        return float(stated) if stated else None


class Lifecycle:
    """The operations on objects of a cluster.

    Args:
        server: The API server.
        interrupted: Ends waits when it is set.
        options: How objects are changed.
        pause: Waits so many seconds; True if it was interrupted.
    """

    def __init__(
        self,
        server: ApiServer,
        interrupted: threading.Event,
        options: Options,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        self._server = server
        self._waits = Waits(server, interrupted)
        self._options = options
        self._pause = pause or interrupted.wait

    def create(self, request: Request) -> Made | None:
        """Makes an object that must not exist.

        Returns:
            The object; in a preview what it would be, None if that cannot be told.

        Raises:
            StandInError: If the API server refuses.
            InitFailedError: If it is there, and does not become ready.
        """
        manager = objects.find_annotation(request.inputs, objects.FIELD_MANAGER) or _make_manager()
        try:
            live = self._create_patiently(request, manager)
        except UnknownKindError as error:
            if request.is_preview:
                return None
            raise StandInError(
                f'creation of resource "{request.urn}" with kind {request.kind} failed because the Kubernetes API '
                "server reported that the apiVersion for this resource does not exist. Verify that any required CRDs "
                f"have been created: {error}"
            ) from error
        except RefusedError as error:
            if request.is_preview and _is_told_later(error):
                return None
            raise StandInError(
                f'resource "{request.urn}" was not successfully created by the Kubernetes API server: {error}'
            ) from error
        if request.is_preview:
            live.pop("status", None)
            return Made(resource_id="", outputs=_build_outputs(request, live, manager))
        try:
            live = self._wait(request, live, is_new=True)
        except NotReadyError as error:
            text = (
                f'resource "{request.urn}" was successfully created, but the Kubernetes API server reported that it '
                f"failed to fully initialize or become live: {error}"
            )
            live = self._read_again(request.kind, live)
            raise InitFailedError(text, _build_made(request, live, manager), error.reasons) from error
        if request.kind.name == CUSTOM_DEFINITION:
            self._server.forget_kinds()
        return _build_made(request, live, manager)

    def update(self, request: Request, old: Checkpoint) -> Made | None:
        """Changes an object to these inputs.

        Returns:
            The object; in a preview what it would be, None if that cannot be told.

        Raises:
            StandInError: If it is gone.
            InitFailedError: If the API server refuses, or it does not become ready.
        """
        manager = objects.find_annotation(request.inputs, objects.FIELD_MANAGER) or old.field_manager or _make_manager()
        name = objects.build_id(old.live)
        try:
            live = self._server.get(request.kind, *objects.parse_id(name))
        except UnknownKindError:
            if request.is_preview:
                return None
            raise
        except RefusedError as error:
            raise StandInError(f'update of resource "{request.urn}" failed: {error}') from error
        try:
            changed = self._change(request, live, manager)
            if request.is_preview:
                changed.pop("status", None)
                return Made(resource_id=name, outputs=_build_outputs(request, changed, manager))
            live = self._wait(request, changed, is_new=False)
        except (RefusedError, NotReadyError) as error:
            if request.is_preview and isinstance(error, RefusedError) and error.status == _FORBIDDEN:
                return None
            text = f'the Kubernetes API server reported that "{name}" failed to fully initialize or become live: '
            text += _explain_conflict(error, manager)
            reasons = error.reasons if isinstance(error, NotReadyError) else ()
            live = self._read_again(request.kind, live)
            raise InitFailedError(text, _build_made(request, live, manager), reasons) from error
        return _build_made(request, live, manager)

    def read(self, request: Request, resource_id: str, old: Checkpoint) -> tuple[dict[str, Any], Made] | None:
        """The inputs and the object as they are now, with what is secret marked; None if the object is gone.

        Raises:
            StandInError: If the API server refuses.
            InitFailedError: If it is there, and not ready.
        """
        try:
            live = self._server.get(request.kind, *objects.parse_id(resource_id))
        except UnknownKindError:
            return None
        except RefusedError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        inputs = normalization.prune(live, request.inputs) if request.inputs else _import(live)
        found = dataclasses.replace(request, inputs=inputs)
        made = dataclasses.replace(_build_made(found, live, old.field_manager), resource_id=resource_id)
        marked = secrecy.mark_secrets(checkpoints.spell(inputs), request.given)
        if request.inputs and not objects.has_annotation(request.inputs, objects.SKIP_AWAIT):
            try:
                self._waits.check_ready(request.kind, live)
            except NotReadyError as error:
                raise InitFailedError(str(error), made, error.reasons, marked) from error
        return marked, made

    def delete(self, request: Request, resource_id: str, old: Checkpoint) -> None:
        """Deletes an object, and waits until it is gone.

        Raises:
            StandInError: If the API server refuses.
            InitFailedError: If it is not gone in time.
        """
        namespace, name = objects.parse_id(resource_id)
        policy = objects.find_annotation(request.inputs, objects.PROPAGATION).lower()
        try:
            self._server.delete(request.kind, namespace, name, _POLICIES.get(policy, "Foreground"))
            is_unawaited = objects.has_annotation(request.inputs, objects.SKIP_AWAIT)
            if not (is_unawaited and request.kind.name in _DELETED_UNAWAITED):
                self._waits.wait_gone(request.kind, namespace, name, request.find_seconds() or _DELETE_SECONDS)
        except UnknownKindError:
            return
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
        except NotReadyError as error:
            live = self._read_again(request.kind, old.live)
            raise InitFailedError(str(error), _build_made(request, live, old.field_manager), error.reasons) from error

    def _create_patiently(self, request: Request, manager: str) -> Object:
        """Creates, also if the namespace or the kind comes a moment later."""
        for seconds in () if request.is_preview else _CREATE_PAUSES:
            try:
                return self._create(request, manager)
            except UnknownKindError:
                self._server.forget_kinds()
            except RefusedError as error:
                if error.status != _NOT_FOUND:
                    raise
            if self._pause(seconds):
                break
        return self._create(request, manager)

    def _create(self, request: Request, manager: str) -> Object:
        kind, inputs, is_dry = request.kind, request.inputs, request.is_preview
        if self._options.is_upserting:
            is_forced = self._is_forced(inputs) or is_dry
            return self._server.apply(kind, inputs, manager, is_forced=is_forced, is_dry=is_dry)
        return self._server.create(kind, inputs, manager, is_dry=is_dry)

    def _change(self, request: Request, live: Object, manager: str) -> Object:
        kind, is_dry = request.kind, request.is_preview
        if kind.name == CUSTOM_DEFINITION:
            version = {"resourceVersion": live["metadata"]["resourceVersion"]}
            thing = {**request.inputs, "metadata": {**request.inputs["metadata"], **version}}
            return self._server.replace(kind, thing, manager, is_dry=is_dry)
        managed = ownership.take_over(live["metadata"].get("managedFields", ()), manager)
        # A preview must not change who manages what; by force it has the same outcome, if only we would be in our way.
        is_forced = self._is_forced(request.inputs) or (is_dry and managed is not None)
        if managed is not None and not is_dry:
            self._server.replace_managers(kind, live, managed)
        return self._server.apply(kind, request.inputs, manager, is_forced=is_forced, is_dry=is_dry)

    def _is_forced(self, inputs: Object) -> bool:
        return self._options.is_forced or objects.has_annotation(inputs, objects.PATCH_FORCE)

    def _wait(self, request: Request, live: Object, *, is_new: bool) -> Object:
        if not objects.has_annotation(request.inputs, objects.SKIP_AWAIT):
            self._waits.wait_ready(request.kind, live, request.find_seconds(), is_new=is_new)
        return self._read_again(request.kind, live)

    def _read_again(self, kind: Kind, live: Object) -> Object:
        """The object now, which exists: if it cannot be read, what was last seen of it."""
        try:
            return self._server.get(kind, *objects.parse_id(objects.build_id(live)))
        except StandInError:
            return live


def _make_manager() -> str:
    return f"pulumi-kubernetes-{secrets.token_hex(4)}"


def _is_told_later(error: RefusedError) -> bool:
    """Whether a dry run fails for what will have changed: there is no namespace yet, or the old object still is."""
    is_namespace_missing = error.status == _NOT_FOUND and error.kind == "namespaces"
    return is_namespace_missing or error.status in (_FORBIDDEN, _CONFLICT)


def _explain_conflict(error: Exception, manager: str) -> str:
    if not (isinstance(error, RefusedError) and error.status == _CONFLICT):
        return str(error)
    return f'{_CONFLICT_GUIDE}\nThe resource managed by field manager "{manager}" had an apply conflict: {error}'


def _import(live: Object) -> Object:
    """The inputs of an object that was found: all that is not the cluster's own."""
    inputs = normalization.normalize(live, None)
    inputs.pop("status", None)
    return inputs


def _build_outputs(request: Request, live: Object, manager: str) -> dict[str, Any]:
    checkpoint = Checkpoint(inputs=request.inputs, live=live, field_manager=manager)
    return checkpoints.build_outputs(checkpoint, request.given)


def _build_made(request: Request, live: Object, manager: str) -> Made:
    return Made(resource_id=objects.build_id(live), outputs=_build_outputs(request, live, manager))
