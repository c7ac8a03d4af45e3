"""Shapes of the official SDKs' models, of both generations, and what is found wrong with bodies."""

from __future__ import annotations

import enum
import importlib
import inspect
from typing import Any

import pytest

from tests.azure import sdk_models, shapes
from tests.azure.shapes import Kind

STORAGE_ACCOUNT = "azure.mgmt.storage.models:StorageAccountCreateParameters"
WORKSPACE = f"{sdk_models.MACHINE_LEARNING}:Workspace"
COMPUTE = f"{sdk_models.MACHINE_LEARNING}:ComputeResource"
PACKAGES = (
    "azure.mgmt.applicationinsights.v2020_02_02.models",
    "azure.mgmt.authorization.v2022_04_01.models",
    "azure.mgmt.containerregistry.v2023_01_01_preview.models",
    "azure.mgmt.containerservice.models",
    "azure.mgmt.keyvault.models",
    "azure.mgmt.loganalytics.models",
    "azure.mgmt.machinelearningservices.models",
    "azure.mgmt.monitor.v2021_05_01_preview.models",
    "azure.mgmt.msi.v2023_01_31.models",
    "azure.mgmt.network.models",
    "azure.mgmt.resource.resources.v2022_09_01.models",
    "azure.mgmt.storage.models",
    sdk_models.MACHINE_LEARNING,
)


def build_storage_account(**properties: Any) -> dict[str, Any]:
    """A body that is right, with these properties on top."""
    body = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "location": "westeurope"}
    return {**body, "properties": {"supportsHttpsTrafficOnly": True, **properties}}


def build_compute(**properties: Any) -> dict[str, Any]:
    """An AmlCompute that is right, with these properties on top."""
    scale = {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    inner = {"vmSize": "STANDARD_NC4AS_T4_V3", "scaleSettings": scale, **properties}
    return {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": inner}}


# One SDK's own source has escape sequences that Python warns of, when it is first compiled.
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.parametrize("package", PACKAGES)
def test_every_model_can_be_read(package: str) -> None:
    """No model of the SDKs that we use has a form that is not understood."""
    models: list[Any] = [each for each in vars(sdk_models.load_models(package)).values() if inspect.isclass(each)]
    read = [sdk_models.read_shape(each) for each in models if not issubclass(each, enum.Enum)]

    assert sum(len(each.properties) + len(each.subtypes) for each in read) > 20


def test_a_flattened_property_is_where_the_service_has_it() -> None:
    """The older SDKs flatten by dotted keys: the container is there, and its properties have their SDK's names."""
    properties = sdk_models.load_shape(STORAGE_ACCOUNT).properties
    container = properties["properties"]
    found = container.type.shape.properties["supportsHttpsTrafficOnly"] if container.type.shape else None

    assert container.flattened
    assert found is not None
    assert (found.client_name, found.type.kind) == ("enable_https_traffic_only", Kind.BOOLEAN)


def test_a_newer_sdk_flattens_too() -> None:
    """A workspace's properties are shown as the workspace's own, a compute's are not."""
    workspace, compute = (sdk_models.load_shape(each).properties["properties"] for each in (WORKSPACE, COMPUTE))

    assert (workspace.flattened, compute.flattened) == (True, False)


def test_an_escaped_dot_is_part_of_the_name() -> None:
    """A key of an older SDK with an escaped dot is one name, and a discriminator."""
    models = importlib.import_module("azure.mgmt.monitor.v2018_03_01.models")

    assert sdk_models.read_shape(models.MetricAlertCriteria).discriminator == "odata.type"


def test_a_shape_is_read_once() -> None:
    """The same model gives the same shape, whoever asks."""
    assert sdk_models.load_shape(WORKSPACE) is sdk_models.load_shape(WORKSPACE)


@pytest.mark.parametrize("name", [WORKSPACE, STORAGE_ACCOUNT])
def test_what_is_no_object_is_refused(name: str) -> None:
    """A body has to be an object."""
    (problem,) = shapes.find_problems(sdk_models.load_shape(name), [1])

    assert "must be an object" in problem


def test_a_right_body_has_no_problems() -> None:
    """Neither generation finds anything wrong with what is right."""
    assert shapes.find_problems(sdk_models.load_shape(STORAGE_ACCOUNT), build_storage_account()) == []
    assert shapes.find_problems(sdk_models.load_shape(COMPUTE), build_compute()) == []


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"allowBlobPublicaccess": False}, "could not find member 'allowBlobPublicaccess' on StorageAccountCreateP"),
        ({"allowBlobPublicaccess": False}, "it is spelt 'allowBlobPublicAccess'"),
        ({"minimumTlsVersion": "tls1_2"}, "properties.minimumTlsVersion: 'tls1_2' is not one of TLS1_0, TLS1_1"),
        ({"allowSharedKeyAccess": "false"}, "properties.allowSharedKeyAccess: must be a boolean, not 'false'"),
        ({"networkAcls": {"bypass": "None"}}, "properties.networkAcls.defaultAction: is required in NetworkRuleSet"),
        ({"networkAcls": {"defaultAction": "Deny", "ipRules": [{"action": "Allow"}]}}, "ipRules[0].value: is required"),
        ({"sasPolicy": {"sasExpirationPeriod": 1, "expirationAction": "Log"}}, "must be a string, not 1"),
    ],
)
def test_a_problem_tells_its_place(properties: dict[str, Any], problem: str) -> None:
    """Unknown, misspelt, of the wrong type, missing: each is told with its path, in an older SDK's model."""
    problems = shapes.find_problems(sdk_models.load_shape(STORAGE_ACCOUNT), build_storage_account(**properties))

    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"vmsize": "x"}, "properties.properties.vmsize: could not find member"),
        ({"vmPriority": "Low"}, "properties.properties.vmPriority: 'Low' is not one of Dedicated, LowPriority"),
        ({"isolatedNetwork": 1}, "must be a boolean, not 1"),
        ({"scaleSettings": {"minNodeCount": 0}}, "scaleSettings.maxNodeCount: is required in ScaleSettings"),
        ({"scaleSettings": {"maxNodeCount": 1.5}}, "must be an integer, not 1.5"),
        ({"scaleSettings": {"maxNodeCount": True}}, "must be an integer, not True"),
        ({"scaleSettings": {"maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "120s"}}, "must be a duration"),
        ({"userAccountCredentials": {}}, "userAccountCredentials.adminUserName: is required"),
    ],
)
def test_a_newer_model_is_as_strict(properties: dict[str, Any], problem: str) -> None:
    """The same of a newer SDK's model, inside the subtype that the discriminator tells."""
    problems = shapes.find_problems(sdk_models.load_shape(COMPUTE), build_compute(**properties))

    assert len(problems) == 1
    assert problem in problems[0]


def test_an_unknown_subtype_is_refused() -> None:
    """A discriminator's value has to be one of the known, in the service's case."""
    body = {"properties": {"computeType": "amlcompute"}}
    (problem,) = shapes.find_problems(sdk_models.load_shape(COMPUTE), body)

    assert problem.startswith("properties.computeType: 'amlcompute' is not a Compute; there are AKS, AmlCompute")


def test_a_missing_discriminator_is_told() -> None:
    """Without it the service cannot know what it gets."""
    (problem,) = shapes.find_problems(sdk_models.load_shape(COMPUTE), {"properties": {}})

    assert problem == "properties.computeType: is required in Compute"


def test_the_length_and_the_pattern_of_a_string_count() -> None:
    """What a model says about a string's length is held to."""
    registry = sdk_models.load_shape("azure.mgmt.containerregistry.v2023_01_01_preview.models:RegistryNameCheckRequest")
    problems = shapes.find_problems(registry, {"name": "a-b", "type": "Microsoft.ContainerRegistry/registries"})

    assert problems == [
        "name: 'a-b' does not match the pattern ^[a-zA-Z0-9]*$",
        "name: is 3 long, at least 5 are needed",
    ]


def test_what_the_service_sets_is_no_problem_and_is_dropped() -> None:
    """A body read from the service can be sent back: what is read-only is told apart, at any depth."""
    shape = sdk_models.load_shape(COMPUTE)
    body = build_compute(currentNodeCount=1)
    body["id"] = "/subscriptions/1"
    kept, dropped = shapes.drop_read_only(shape, body)

    assert shapes.find_problems(shape, body) == []
    assert kept == build_compute()
    assert dropped == ["properties.properties.currentNodeCount", "id"]


def test_null_is_absent() -> None:
    """A property that is null counts as not given, so a required one is missing."""
    shape = sdk_models.load_shape(STORAGE_ACCOUNT)
    body = {**build_storage_account(minimumTlsVersion=None), "kind": None}

    assert shapes.find_problems(shape, body) == ["kind: is required in StorageAccountCreateParameters"]
