"""Certificates of a cluster, and the kubeconfigs that hold them."""

from __future__ import annotations

import base64
import pathlib

import trustme
import yaml

ADMINISTRATORS = "system:masters"
"""The group that may do everything."""


class Credentials:
    """One authority for servers and users; files are readable by their owner only."""

    def __init__(self, folder: pathlib.Path, server: str) -> None:
        """Makes a new authority; `server` is the API server's URL."""
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._server = server
        self._authority = trustme.CA()
        self._write("authority.crt", self._authority.cert_pem.bytes())
        # Any key will do to sign the tokens of service accounts.
        self._write("service-accounts.key", self._issue("service-accounts", "", ()).private_key_pem.bytes())

    def issue(self, name: str, *addresses: str, user: str = "", group: str = "") -> None:
        """Makes the files `name`.crt and `name`.key, for a server at `addresses`, a user, or both."""
        leaf = self._issue(user or name, group, addresses)
        self._write(f"{name}.crt", b"".join(part.bytes() for part in leaf.cert_chain_pems))
        self._write(f"{name}.key", leaf.private_key_pem.bytes())

    def write_component(self, name: str, user: str, group: str = "") -> None:
        """Writes the file `name`.kubeconfig for a component."""
        self.write_user(self._folder / f"{name}.kubeconfig", user, group)

    def write_user(self, file: pathlib.Path, user: str, group: str = "") -> pathlib.Path:
        """Writes a kubeconfig for a user, who is in `group` if one is named."""
        leaf = self._issue(user, group, ())
        certificate = b"".join(part.bytes() for part in leaf.cert_chain_pems)
        secrets = {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(leaf.private_key_pem.bytes()).decode(),
        }
        return self._write_kubeconfig(file, user, secrets)

    def write_token(self, file: pathlib.Path, user: str, token: str, namespace: str) -> pathlib.Path:
        """Writes a kubeconfig for the bearer of a token, whose default namespace is given."""
        return self._write_kubeconfig(file, user, {"token": token}, namespace)

    def _issue(self, user: str, group: str, addresses: tuple[str, ...]) -> trustme.LeafCert:
        # A certificate without any address is one that Go's library refuses.
        return self._authority.issue_cert(
            *(addresses or ("user.invalid",)), common_name=user, organization_name=group or "users"
        )

    def _write_kubeconfig(
        self, file: pathlib.Path, user: str, secrets: dict[str, str], namespace: str = "default"
    ) -> pathlib.Path:
        authority = base64.b64encode(self._authority.cert_pem.bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "tests", "cluster": {"server": self._server, "certificate-authority-data": authority}}
            ],
            "users": [{"name": user, "user": secrets}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user, "namespace": namespace}}],
            "current-context": "tests",
        }
        return _write(file, yaml.safe_dump(content).encode())

    def _write(self, name: str, content: bytes) -> None:
        _write(self._folder / name, content)


def _write(file: pathlib.Path, content: bytes) -> pathlib.Path:
    file.touch(mode=0o600)
    file.write_bytes(content)
    return file
