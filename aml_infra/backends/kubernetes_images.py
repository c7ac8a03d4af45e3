"""The images of runs on Kubernetes: the user's, with the source and the data of this machine on top."""

from __future__ import annotations

import base64
import functools
import os
import posixpath
import tarfile
from collections.abc import Mapping
from typing import Any

from aml_infra import image_layers
from aml_infra import source as sources
from aml_infra.backends import base, kubernetes_request
from aml_infra.backends.base import Tell
from aml_infra.backends.kubernetes_api import KubernetesApi
from aml_infra.backends.kubernetes_layout import ARCHITECTURE_LABEL, INPUTS, OUTPUTS, PRIVATE, WORKSPACE, Place
from aml_infra.errors import InvalidInput, Problem, SourceChanged
from aml_infra.image_layers import Layer, Layered
from aml_infra.registry_logins import Login, Logins
from aml_infra.source import Snapshot
from aml_infra.spec import RunInput, RunSpec


class Images:
    """Images in registries, with the logins that there are for them.

    These are looked for in this order: in the Secret by which pods pull, in Docker's settings on this machine, and, of
    an Azure registry, with the login to Azure.

    Args:
        api: of the namespace.
        place: says which Secret.
    """

    def __init__(self, api: KubernetesApi, place: Place) -> None:
        self._api, self._place = api, place

    def identify(self, reference: str) -> str:
        """The digest that a reference means now.

        Raises:
            InvalidInput: there is no such image.
            BackendUnavailable: its registry does not say.
        """
        if digest := kubernetes_request.find_digest(reference):
            return digest
        found = image_layers.identify(reference, self._find_login)
        if found is None:
            fix = "check the name, or push it"
            raise InvalidInput([Problem("image", f"is {reference!r}, and its registry has no such image; {fix}")])
        return found

    def put_source(self, wanted: Mapping[str, Any], spec: RunSpec, snapshot: Snapshot, tell: Tell) -> Layered:
        """The image that a run needs, made if it is not there.

        Args:
            wanted: ``image`` of the run's request.
            spec: of the run.
            snapshot: the source.
            tell: hears how far it is.

        Raises:
            SourceChanged: the source is no longer what was fingerprinted.
            AccessDenied, BackendUnavailable, RequestRefused: see ``RegistryClient``.
        """
        base.require_same_source(snapshot)
        layers = [
            Layer(
                name=f"input {name}",
                write=functools.partial(_write_input, name, spec.inputs[name]),
            )
            for name in wanted["inputs"]
        ]
        layers.append(Layer(name="source", write=functools.partial(_write_source, snapshot)))
        return image_layers.push(
            wanted["base"],
            wanted["repository"],
            layers,
            working_folder=WORKSPACE,
            find_login=self._find_login,
            architecture=self._place.node_selector.get(ARCHITECTURE_LABEL, "amd64"),
            tell=tell,
        )

    def _find_login(self, server: str) -> Login | None:
        documents = {}
        if self._place.pull_secret:
            secret = self._api.get("v1/secrets", self._place.pull_secret) or {}
            text = base64.b64decode((secret.get("data") or {}).get(".dockerconfigjson") or b"e30=").decode()
            documents[f"Secret {self._place.pull_secret!r}"] = text
        return Logins(documents=documents).find(server)


def _write_source(snapshot: Snapshot, tar: tarfile.TarFile) -> None:
    # Open to whatever user the pod runs as.
    for folder in (WORKSPACE, OUTPUTS, f"{WORKSPACE}/logs", PRIVATE, f"{PRIVATE}/kept"):
        tar.addfile(sources.build_member(folder.lstrip("/"), tarfile.DIRTYPE, 0o777))
    snapshot.add_to(tar, WORKSPACE.lstrip("/"))


def _write_input(name: str, given: RunInput, tar: tarfile.TarFile) -> None:
    path = given.path
    snapshot = sources.take_data_snapshot(path)
    if snapshot.digest != given.version:
        raise SourceChanged(f"inputs[{name!r}]: {path!r} changed while `pulumi up` ran; run it again")
    folder = f"{INPUTS}/{name}".lstrip("/")
    # The snapshot of a file has its name.
    below = f"{folder}/{posixpath.basename(path)}" if os.path.isdir(path) else folder
    snapshot.add_to(tar, below)
