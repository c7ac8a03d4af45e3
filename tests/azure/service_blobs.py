"""How the service itself, and the machines of its clusters, come to blobs: straight to Azurite, past the gate.

What a compute does in the name of its identity is checked against that identity's roles, as at the gate.
"""

from __future__ import annotations

import contextlib
import datetime
import http
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib import parse
from xml.etree import ElementTree as ET

import requests

from tests.azure import azurite, blobs, roles, tls
from tests.azure.resources import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

_VERSION = "2021-12-02"
_HOURS = 8
_SECONDS = 60


class Forbidden(Exception):
    """An identity may not do this; the message is the storage's."""


class ServiceBlobs:
    """Reads and writes blobs of any account, and signs URLs."""

    def __init__(self, cloud: Cloud, emulator: azurite.Azurite, certificates: tls.Certificates) -> None:
        self._cloud = cloud
        self._emulator = emulator
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(certificates.authority)

    def close(self) -> None:
        """Ends its connections."""
        self._session.close()

    def ensure_container(self, account: Resource, container: str) -> None:
        """Makes the container if need be."""
        with self._ask("PUT", account, container, {"restype": "container"}) as answer:
            if answer.status_code != http.HTTPStatus.CONFLICT:
                answer.raise_for_status()

    def list_names(self, account: Resource, container: str, prefix: str) -> list[str]:
        """The names of the blobs that begin so."""
        names: list[str] = []
        marker = ""
        while True:
            query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": marker}
            with self._ask("GET", account, container, query) as answer:
                if answer.status_code == http.HTTPStatus.NOT_FOUND:
                    return []
                answer.raise_for_status()
                page = ET.fromstring(answer.content)  # noqa: S314 - it is Azurite's own
            names += [str(name.text) for name in page.iterfind("Blobs/Blob/Name")]
            marker = page.findtext("NextMarker") or ""
            if not marker:
                return names

    def read(self, account: Resource, container: str, name: str) -> bytes:
        """The content of a blob."""
        with self._ask("GET", account, f"{container}/{name}") as answer:
            answer.raise_for_status()
            return answer.content

    def write(self, account: Resource, container: str, name: str, content: bytes) -> None:
        """Makes or replaces a blob."""
        with self._ask("PUT", account, f"{container}/{name}", kind="BlockBlob", content=content) as answer:
            answer.raise_for_status()

    def begin_log(self, account: Resource, container: str, name: str) -> None:
        """Makes or empties an append blob."""
        with self._ask("PUT", account, f"{container}/{name}", kind="AppendBlob") as answer:
            answer.raise_for_status()

    def append(self, account: Resource, container: str, name: str, content: bytes) -> None:
        """Adds to an append blob."""
        with self._ask("PUT", account, f"{container}/{name}", {"comp": "appendblock"}, content=content) as answer:
            answer.raise_for_status()

    def check_data(self, account: Resource, container: str, principal: str | None, verb: str) -> None:
        """Refuses who may not do this with the blobs of a container.

        Raises:
            Forbidden: ``principal``, an object id, has no role for it, or there is none.
        """
        scope = f"{account.id}/blobServices/default/containers/{container}"
        if principal is None or not roles.may_data(self._cloud, principal, f"{blobs.BLOBS}/{verb}", scope):
            raise Forbidden("This request is not authorized to perform this operation using this permission.")

    def sign(self, account: Resource, container: str, name: str, permissions: str, principal: str | None) -> str:
        """A URL that opens a blob, or the container where ``name`` is empty, for some hours.

        It is signed by delegation of ``principal``, an object id, and with the account's key where there is none.
        """
        from azure.storage.blob import generate_blob_sas, generate_container_sas

        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        start, end = now - datetime.timedelta(minutes=10), now + datetime.timedelta(hours=_HOURS)
        key: dict[str, Any] = {"account_key": account.secrets["key"]}
        if principal is not None:
            key = {"user_delegation_key": self._fetch_delegation_key(account, principal, start, end)}
        named = {**key, "permission": permissions, "start": start, "expiry": end}
        if name:
            token = generate_blob_sas(account.name, container, name, **named)
        else:
            token = generate_container_sas(account.name, container, **named)
        path = parse.quote(f"{container}/{name}".rstrip("/"))
        return f"https://{account.name}{blobs.SUFFIX}/{path}?{token}"

    def _fetch_delegation_key(
        self, account: Resource, principal: str, start: datetime.datetime, end: datetime.datetime
    ) -> object:
        from azure.storage.blob import UserDelegationKey

        form = "%Y-%m-%dT%H:%M:%SZ"
        content = f"<KeyInfo><Start>{start.strftime(form)}</Start><Expiry>{end.strftime(form)}</Expiry></KeyInfo>"
        query = {"restype": "service", "comp": "userdelegationkey"}
        with self._ask("POST", account, "", query, content=content.encode(), principal=principal) as answer:
            answer.raise_for_status()
            found = ET.fromstring(answer.content)  # noqa: S314 - it is Azurite's own
        key = UserDelegationKey()
        key.signed_oid = found.findtext("SignedOid")
        key.signed_tid = found.findtext("SignedTid")
        key.signed_start = found.findtext("SignedStart")
        key.signed_expiry = found.findtext("SignedExpiry")
        key.signed_service = found.findtext("SignedService")
        key.signed_version = found.findtext("SignedVersion")
        key.value = found.findtext("Value")
        return key

    @contextlib.contextmanager
    def _ask(
        self,
        method: str,
        account: Resource,
        path: str,
        query: dict[str, str] | None = None,
        *,
        kind: str = "",
        content: bytes = b"",
        principal: str = "",
    ) -> Iterator[requests.Response]:
        url = self._emulator.ensure()
        self._emulator.set_accounts(blobs.list_keys(self._cloud))
        headers = {
            "Host": f"{account.name}{blobs.SUFFIX}",
            "Authorization": f"Bearer {blobs.build_token(principal)}",
            "x-ms-version": _VERSION,
        }
        if kind:
            headers["x-ms-blob-type"] = kind
        asked = f"{url}/{parse.quote(path)}"
        with self._session.request(
            method, asked, params=query, data=content, headers=headers, timeout=_SECONDS
        ) as answer:
            yield answer
