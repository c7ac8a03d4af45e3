from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator

import pytest
from azure import identity
from azure.core import exceptions
from azure.mgmt.storage import StorageManagementClient
from azure.mgmt.storage.models import Sku, StorageAccountCreateParameters, StorageAccountUpdateParameters
from azure.storage.blob import BlobServiceClient, ContainerClient, UserDelegationKey, generate_container_sas

from tests.azure import server
from tests.azure.conformance import parts

URL = "https://blobsstore.blob.core.windows.net"
REFUSED = "not authorized to perform this operation using this permission"


@pytest.fixture(scope="module")
def account(azure: server.Azure, credential: identity.DefaultAzureCredential) -> Iterator[str]:
    """The id of a storage account in a group of its own."""
    group = parts.make_group(credential, azure.cloud.subscription_id, "blobs-group")
    with StorageManagementClient(credential, azure.cloud.subscription_id) as client:
        parameters = StorageAccountCreateParameters(
            sku=Sku(name="Standard_LRS"), kind="StorageV2", location=parts.LOCATION
        )
        made = client.storage_accounts.begin_create(group, "blobsstore", parameters).result()
        yield str(made.id)


def _sign_in(azure: server.Azure, account: str, *roles: str) -> BlobServiceClient:
    _, login = azure.add_principal(*((role, account) for role in roles))
    credential = identity.ClientSecretCredential(
        login["AZURE_TENANT_ID"], login["AZURE_CLIENT_ID"], login["AZURE_CLIENT_SECRET"]
    )
    return BlobServiceClient(URL, credential=credential)


@pytest.fixture
def writer(azure: server.Azure, account: str) -> Iterator[BlobServiceClient]:
    """Somebody who may write blobs."""
    with _sign_in(azure, account, "Storage Blob Data Contributor") as client:
        yield client


@pytest.fixture
def container(writer: BlobServiceClient, request: pytest.FixtureRequest) -> str:
    """A new container with one blob."""
    name = f"c{abs(hash(request.node.name))}"
    writer.create_container(name).upload_blob("a/ä b.txt", b"text")
    return name


def test_blobs_are_written_and_read_by_role(azure: server.Azure, account: str, container: str) -> None:
    """A reader reads and lists; writing takes the contributor's role."""
    with _sign_in(azure, account, "Storage Blob Data Reader") as reader:
        inside = reader.get_container_client(container)

        assert [blob.name for blob in inside.list_blobs()] == ["a/ä b.txt"]
        assert inside.download_blob("a/ä b.txt").readall() == b"text"
        with pytest.raises(exceptions.HttpResponseError, match=REFUSED):
            inside.upload_blob("new", b"text")


def test_owning_the_account_is_not_enough(azure: server.Azure, account: str, container: str) -> None:
    """Owners manage the account; blobs take a role for data."""
    with (
        _sign_in(azure, account, "Owner") as owner,
        pytest.raises(exceptions.HttpResponseError, match=REFUSED),
    ):
        list(owner.get_container_client(container).list_blobs())


def test_nobody_reads_without_a_login(container: str) -> None:
    """The account has no anonymous access."""
    with (
        BlobServiceClient(URL) as client,
        pytest.raises(exceptions.ClientAuthenticationError, match="NoAuthenticationInformation"),
    ):
        client.get_container_client(container).get_container_properties()


def _sign(container: str, permission: str, key: str | UserDelegationKey) -> ContainerClient:
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    account_key = key if isinstance(key, str) else None
    delegation = None if isinstance(key, str) else key
    signature = generate_container_sas(
        "blobsstore",
        container,
        account_key=account_key,
        user_delegation_key=delegation,
        permission=permission,
        expiry=expiry,
    )
    return ContainerClient.from_container_url(f"{URL}/{container}?{signature}")


def test_a_signature_of_the_key_opens_what_it_says(
    azure: server.Azure, credential: identity.DefaultAzureCredential, account: str, container: str
) -> None:
    """It may list and not write; one of another key opens nothing."""
    with StorageManagementClient(credential, azure.cloud.subscription_id) as client:
        keys = client.storage_accounts.list_keys("blobs-group", "blobsstore").keys or []
    with _sign(container, "rl", str(keys[0].value)) as signed:
        assert [blob.name for blob in signed.list_blobs()] == ["a/ä b.txt"]
        with pytest.raises(exceptions.HttpResponseError):
            signed.upload_blob("new", b"text")
    with (
        _sign(container, "rl", base64.b64encode(b"another").decode()) as forged,
        pytest.raises(exceptions.HttpResponseError),
    ):
        list(forged.list_blobs())


def test_an_account_without_keys_takes_delegated_signatures_only(
    azure: server.Azure,
    credential: identity.DefaultAzureCredential,
    account: str,
    writer: BlobServiceClient,
    container: str,
) -> None:
    """Keys, and what is signed with them, are refused; what a principal signs can do as much as that principal."""
    now = datetime.datetime.now(datetime.timezone.utc)
    delegation = writer.get_user_delegation_key(now - datetime.timedelta(minutes=5), now + datetime.timedelta(hours=1))
    with StorageManagementClient(credential, azure.cloud.subscription_id) as client:
        key = str((client.storage_accounts.list_keys("blobs-group", "blobsstore").keys or [])[0].value)
        off = StorageAccountUpdateParameters(allow_shared_key_access=False)
        client.storage_accounts.update("blobs-group", "blobsstore", off)

        with (
            BlobServiceClient(URL, credential={"account_name": "blobsstore", "account_key": key}) as by_key,
            pytest.raises(exceptions.HttpResponseError, match="KeyBasedAuthenticationNotPermitted"),
        ):
            list(by_key.list_containers())
        with (
            _sign(container, "rl", key) as signed,
            pytest.raises(exceptions.HttpResponseError, match="KeyBasedAuthenticationNotPermitted"),
        ):
            list(signed.list_blobs())
        with _sign(container, "rlw", delegation) as delegated:
            delegated.upload_blob("new", b"text")
            assert len(list(delegated.list_blobs())) == 2
        on = StorageAccountUpdateParameters(allow_shared_key_access=True)
        client.storage_accounts.update("blobs-group", "blobsstore", on)


def test_private_accounts_are_reached_from_inside_only(
    azure: server.Azure, credential: identity.DefaultAzureCredential, writer: BlobServiceClient, container: str
) -> None:
    """Without public access only private endpoints lead to it, whatever the role."""
    inside = writer.get_container_client(container)
    with StorageManagementClient(credential, azure.cloud.subscription_id) as client:
        off = StorageAccountUpdateParameters(public_network_access="Disabled")
        client.storage_accounts.update("blobs-group", "blobsstore", off)

        with pytest.raises(exceptions.HttpResponseError, match="AuthorizationFailure"):
            list(inside.list_blobs())
        azure.set_private(private=True)
        assert len(list(inside.list_blobs())) == 1

        azure.set_private(private=False)
        on = StorageAccountUpdateParameters(public_network_access="Enabled")
        client.storage_accounts.update("blobs-group", "blobsstore", on)
