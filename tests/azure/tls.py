"""Certificates of the test server: one authority, and one certificate for all of Azure's host names."""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

import certifi
import trustme


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Files in PEM form.

    Attributes:
        certificate: The server's chain.
        key: Its private key.
        authority: The certificate that signed it.
        bundle: The authorities that this machine trusts, and ours: for clients.
    """

    certificate: pathlib.Path
    key: pathlib.Path
    authority: pathlib.Path
    bundle: pathlib.Path

    def build_client_context(self) -> ssl.SSLContext:
        """Trusts the test server alone."""
        return ssl.create_default_context(cafile=str(self.authority))


def issue(folder: pathlib.Path, names: Iterable[str]) -> Certificates:
    """Makes a new authority, and a certificate for `names`, localhost and 127.0.0.1, in `folder`."""
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1", *names)
    made = Certificates(
        certificate=folder / "certificate.pem",
        key=folder / "key.pem",
        authority=folder / "authority.pem",
        bundle=folder / "bundle.pem",
    )
    made.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    made.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.authority))
    # Who intercepts TLS on a developer's machine is in the system's file only, and pip in a child process needs it.
    trusted = pathlib.Path(ssl.get_default_verify_paths().cafile or certifi.where())
    made.bundle.write_bytes(trusted.read_bytes() + b"\n" + authority.cert_pem.bytes())
    return made
