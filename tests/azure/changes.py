"""PUT, PATCH, DELETE and POST of resources: what is the same for all types."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.azure import arm_ids, authorization, sdk_models, shapes
from tests.azure.arm_errors import ArmError, not_found
from tests.azure.cloud import LOCATIONS
from tests.azure.resource_types import Answer, Request, find, is_same
from tests.azure.resources import Resource
from tests.azure.services import locks

GROUPS = "Microsoft.Resources/resourceGroups"


def put(request: Request) -> Answer:
    """Makes the resource, or has it as the body says."""
    _check_models(request)
    request.resource_type.check_name(request.path.name)
    _check_surroundings(request)
    authorization.require(request, "write")
    locks.check_unlocked(request, "write")
    request.resource_type.service.receive(request)
    request.body = check_body(request, request.resource_type.models[request.api_version], request.body)
    return _store(request)


def patch(request: Request) -> Answer:
    """Changes what the body says, and leaves the rest."""
    _check_models(request)
    authorization.require(request, "write")
    locks.check_unlocked(request, "write")
    old = _require_old(request)
    models = request.resource_type.patch_models or request.resource_type.models
    if request.api_version not in models:
        raise ArmError(405, "MethodNotAllowed", f"{request.resource_type.name} cannot be changed with PATCH.")
    given = check_body(request, models[request.api_version], request.body, is_whole=False)
    shape = sdk_models.load_shape(request.resource_type.models[request.api_version])
    kept, _ = shapes.drop_read_only(shape, copy.deepcopy(old.body))
    request.body = merge(kept, given)
    return _store(request)


def delete(request: Request) -> Answer:
    """Removes the resource with all that is part of it; what is not there is no error."""
    authorization.require(request, "delete")
    locks.check_unlocked(request, "delete")
    resource, kind = request.old, request.resource_type
    if resource is None:
        found = None if kind.find_deleted is None else kind.find_deleted(request)
        return found or Answer(status=204)
    _check_not_busy(request)
    kind.service.check_delete(request, resource)
    if kind.delete is None:
        remove(request, resource)
        return Answer(status=kind.deleted)
    resource.properties["provisioningState"] = "Deleting"

    def finish() -> None:
        remove(request, resource)

    location = str(resource.body.get("location", ""))
    return Answer(
        None, 202, request.cloud.operations.start(request.path, finish, location=location, headers=kind.delete)
    )


def remove(request: Request, resource: Resource) -> None:
    """Has the resource gone, and lets its service know."""
    request.cloud.resources.remove(resource.id)
    request.resource_type.service.deleted(request, resource)


def act(request: Request) -> Answer:
    """Does what is asked of the resource, or of the collection."""
    kind = request.resource_type
    actions = kind.actions if request.path.is_resource else kind.collection_actions
    found = {name.lower(): (name, action) for name, action in actions.items()}
    if request.action.lower() not in found:
        text = f"The action '{request.action}' is not known to {kind.name}."
        raise ArmError(404, "InvalidResourceType", text)
    name, action = found[request.action.lower()]
    authorization.require(request, f"{name}/action")
    if request.path.is_resource and name not in kind.early_actions:
        _require_old(request)
    return action(request)


def check_body(request: Request, model: str, body: dict[str, Any], *, is_whole: bool = True) -> dict[str, Any]:
    """The body without what is read-only.

    Raises:
        ArmError: with everything that is wrong with it.
    """
    shape = sdk_models.load_shape(model)
    problems = shapes.find_problems(shape, body)
    if not is_whole:
        problems = [problem for problem in problems if " is required in " not in problem]
    if problems:
        raise ArmError(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{'; '.join(problems)}'.",
            details=[{"code": "InvalidRequestContent", "message": problem} for problem in problems],
        )
    kept, _ = shapes.drop_read_only(shape, body)
    return kept


def merge(old: Any, new: Any) -> Any:
    """``new`` laid over ``old``, as a JSON merge patch: null removes."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _check_models(request: Request) -> None:
    if not request.path.is_resource or not request.resource_type.models[request.api_version]:
        text = f"The HTTP method is not supported for '{request.path.text}'."
        raise ArmError(405, "MethodNotAllowed", text)


def _store(request: Request) -> Answer:
    """Checks what the body asks for, and has it so, at once or in time."""
    cloud, kind, old = request.cloud, request.resource_type, request.old
    _check_location(request)
    if old is None:
        _check_free(request)
    else:
        _check_not_busy(request)
        _check_immutable(request, old)
    kind.service.check(request)
    kind.service.fill(request)
    resource = _build_resource(request)
    cloud.resources.put(resource)
    status = kind.created if old is None else kind.updated
    if kind.put is None or (old is not None and kind.is_changed_at_once):
        kind.service.made(request, resource)
        return Answer(show(request, resource), status)
    resource.properties["provisioningState"] = "Creating" if old is None else "Updating"

    def finish() -> dict[str, Any]:
        try:
            kind.service.made(request, resource)
        except ArmError:
            resource.properties["provisioningState"] = "Failed"
            raise
        resource.properties["provisioningState"] = "Succeeded"
        return show(request, resource)

    location = str(resource.body.get("location", ""))
    headers = cloud.operations.start(request.path, finish, location=location, headers=kind.put)
    return Answer(show(request, resource), status, headers)


def show(request: Request, resource: Resource) -> dict[str, Any]:
    """The resource as a read shows it."""
    return request.resource_type.service.show(request, resource, copy.deepcopy(resource.body))


def _build_resource(request: Request) -> Resource:
    cloud, old = request.cloud, request.old
    now = cloud.clock.stamp()
    stamp = {"createdBy": request.principal.client_id, "createdByType": "Application", "createdAt": now}
    if old is not None:
        stamp = dict(old.body.get("systemData", stamp))
    changed = {"lastModifiedBy": request.principal.client_id, "lastModifiedByType": "Application"}
    resource_id = request.path.text if old is None else old.id
    body = {
        **request.body,
        "id": resource_id,
        "name": resource_id.rpartition("/")[2],
        "type": request.resource_type.name,
        "systemData": {**stamp, **changed, "lastModifiedAt": now},
    }
    if old is None:
        return Resource(id=resource_id, type=request.resource_type.name, body=body)
    old.change(body)
    return old


def _check_surroundings(request: Request) -> None:
    """The group, the outer resource, or what an extension stands on, must be there."""
    cloud, path = request.cloud, request.path
    if request.resource_type.name == GROUPS:
        return
    if path.resource_group and cloud.resources.get(path.group_id) is None:
        text = f"Resource group '{path.resource_group}' could not be found."
        raise ArmError(404, "ResourceGroupNotFound", text)
    parent = path.parent_id
    if request.resource_type.makes_parent:
        parent = arm_ids.parse(parent).parent_id
    is_top = parent.lower() in (cloud.subscription, path.group_id.lower())
    if not is_top and cloud.resources.get(parent) is None:
        outer = arm_ids.parse(parent)
        if request.resource_type.is_extension:
            raise not_found(outer.type, outer.name, path.resource_group)
        text = (
            f"Failed to perform 'write' on resource(s) of type '{request.resource_type.name.partition('/')[2]}', "
            f"because the parent resource '{parent}' could not be found."
        )
        raise ArmError(404, "ParentResourceNotFound", text)


def _check_location(request: Request) -> None:
    given, old = request.body.get("location"), request.old
    if not request.resource_type.has_location:
        return
    if given is None:
        if old is None:
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        request.body["location"] = old.body["location"]
        return
    plain = given.replace(" ", "").lower()
    if plain not in LOCATIONS:
        text = (
            f"The provided location '{given}' is not available for resource type '{request.resource_type.name}'. List "
            f"of available regions for the resource type is '{','.join(LOCATIONS)}'."
        )
        raise ArmError(400, "LocationNotAvailableForResourceType", text)
    if old is not None and old.body["location"].replace(" ", "").lower() != plain:
        text = (
            f"The resource '{request.path.name}' already exists in location '{old.body['location']}' in resource group "
            f"'{request.path.resource_group}'. A resource with the same name cannot be created in location '{plain}'. "
            "Please select a new resource name."
        )
        raise ArmError(409, "InvalidResourceLocation", text)
    request.body["location"] = plain


def _check_free(request: Request) -> None:
    rule, name = request.resource_type.name_rule, request.path.name.lower()
    if rule.taken and is_taken(request):
        raise ArmError(409, rule.taken, f"The name '{name}' of {request.resource_type.name} is already taken.")


def is_taken(request: Request) -> bool:
    """Whether somebody else has the name, anywhere in Azure."""
    name, wanted = request.path.name.lower(), request.resource_type.name.lower()
    others = request.cloud.taken_names
    return (wanted, name) in others or any(
        each.type.lower() == wanted and each.name.lower() == name and each.id.lower() != request.path.key
        for each in request.cloud.resources
    )


def _check_immutable(request: Request, old: Resource) -> None:
    for path in request.resource_type.immutable:
        before, after = find(old.body, path), find(request.body, path)
        if before is not None and after is not None and not is_same(before, after):
            text = f"Changing property '{path}' is not allowed: it is {before!r} and the request has {after!r}."
            raise ArmError(409, "PropertyChangeNotAllowed", text)


def _check_not_busy(request: Request) -> None:
    if request.cloud.operations.is_busy(request.path.text):
        text = f"Another operation is in progress on the resource '{request.path.text}'. Try again later."
        raise ArmError(409, "AnotherOperationInProgress", text)


def _require_old(request: Request) -> Resource:
    if request.old is None:
        raise not_found(request.resource_type.name, request.path.name, request.path.resource_group)
    return request.old
