"""What the tests' Resource Manager is said to know."""

from __future__ import annotations

from tests.azure import inventory, sdk_models, services
from tests.azure.shapes import Shape


def test_places_are_listed_with_what_they_are_in() -> None:
    """Of lists and of subtypes, too; what is read-only is not checked and not listed."""
    places = set(inventory.list_properties("azure.mgmt.storage.models:StorageAccountCreateParameters"))

    assert {"kind", "properties.allowSharedKeyAccess", "properties.networkAcls.ipRules[].value"} <= places
    assert "properties.primaryEndpoints" not in places


def test_every_type_has_models_that_are_there() -> None:
    """Whatever the version, for PUT and for PATCH."""
    models = {
        model
        for each in services.list_types()
        for model in (*each.models.values(), *each.patch_models.values())
        if model
    }
    shapes: list[Shape] = [sdk_models.load_shape(each) for each in sorted(models)]

    assert all(each.properties for each in shapes)


def test_all_is_counted() -> None:
    """Hundreds of properties."""
    counted = inventory.count()

    assert counted.types == len(list(services.list_types()))
    assert counted.versions >= counted.types
    assert counted.properties > 500
    assert str(counted).startswith(f"{counted.types} resource types")
