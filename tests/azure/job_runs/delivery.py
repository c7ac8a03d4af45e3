"""What comes to a job's machines, code and inputs, and what is kept of what they wrote."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tests.azure.cloud import Cloud
from tests.azure.directory import Principal
from tests.azure.job_runs import data_places, failures, history, machines
from tests.azure.job_runs.data_places import NoSuchPlace, Place
from tests.azure.job_runs.runs import Run
from tests.azure.resources import Resource
from tests.azure.service_blobs import Forbidden, ServiceBlobs

KEPT_FOLDERS = ("outputs", "logs")
"""What is kept of the working folder."""


class Delivery:
    """Moves the files of one job, as the identity that its data is opened by.

    Attributes:
        artifacts: the job's folder in the artifact store.
    """

    def __init__(self, cloud: Cloud, blobs: ServiceBlobs, workspace: Resource, run: Run, root: str) -> None:
        """`root` is the folder on the machines below which data is mounted."""
        self._cloud = cloud
        self._blobs = blobs
        self._workspace = workspace
        self._run = run
        self._mounts = f"{root}/cap/data-capability/wd"
        self.artifacts = self._find(history.build_default_output(run.job.name)["uri"])

    def download_code(self, identity: Principal | None) -> dict[str, bytes]:
        """The files of the job's code, by their path.

        Raises:
            JobFailure: They cannot be had.
        """
        code_id = self._run.job.properties.get("codeId")
        if not code_id:
            return {}
        version = self._cloud.resources.get(code_id)
        assert version is not None
        uri = str(version.properties["codeUri"])
        try:
            return self._download(self._find(uri), identity)
        except (NoSuchPlace, Forbidden) as error:
            raise failures.fail_code(uri, str(error)) from error

    def download_inputs(
        self, identity: Principal | None, folder: pathlib.Path
    ) -> tuple[dict[str, str], dict[pathlib.Path, str]]:
        """What stands for each input in the command; and what is below ``folder``, with where machines mount it.

        Raises:
            JobFailure: An input cannot be had.
        """
        values: dict[str, str] = {}
        mounts: dict[pathlib.Path, str] = {}
        for name, given in (self._run.job.properties.get("inputs") or {}).items():
            if given["jobInputType"] == "literal":
                values[name] = str(given["value"])
                continue
            uri, target = str(given["uri"]), f"{self._mounts}/INPUT_{name}"
            try:
                files = self._download(self._find(uri), identity)
            except (NoSuchPlace, Forbidden) as error:
                raise failures.fail_mount(uri, target) from error
            for path, content in files.items():
                (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / name / path).write_bytes(content)
            mounts[folder / name] = target
            values[name] = f"{target}/{next(iter(files))}" if given["jobInputType"] == "uri_file" else target
        return values, mounts

    def list_outputs(self, identity: Principal | None) -> dict[str, str]:
        """Where the machines put each output of the job.

        Raises:
            JobFailure: An output may not be written.
        """
        found: dict[str, str] = {}
        for name, uri in self._list_uris().items():
            found[name] = f"{self._mounts}/{name}"
            try:
                self._check(self._find(uri), identity, writes=True)
            except (NoSuchPlace, Forbidden) as error:
                raise failures.fail_mount(uri, found[name]) from error
        return found

    def upload(self, hosts: Sequence[machines.Machine], working_folder: str, outputs: Mapping[str, str]) -> None:
        """Keeps what the job wrote; of files that several nodes have, that of the first.

        The service is known to fail some jobs with such files (Azure/azureml-assets#1324), which is not documented.
        """
        places = {name: self._find(uri) for name, uri in self._list_uris().items()}
        for host in reversed(hosts):
            for folder in KEPT_FOLDERS:
                for name, content in host.get(f"{working_folder}/{folder}").items():
                    self._write(self.artifacts, f"{folder}/{name}", content)
                    if folder == "logs":
                        self._run.logs[f"logs/{name}"] = content
            for output, path in outputs.items():
                for name, content in host.get(path).items():
                    self._write(places[output], name, content)

    def _find(self, uri: str) -> Place:
        return data_places.find_place(self._cloud, self._workspace, uri)

    def _list_uris(self) -> dict[str, str]:
        """Where each output goes; one that says nothing goes into the default datastore."""
        given: Mapping[str, Any] = self._run.job.properties["outputs"]
        default = f"azureml://datastores/workspaceblobstore/paths/azureml/{self._run.job.name}"
        return {
            name: str(output.get("uri") or f"{default}/{name}/")
            for name, output in given.items()
            if name != history.DEFAULT
        }

    def _download(self, place: Place, identity: Principal | None) -> dict[str, bytes]:
        """The blobs in a folder, by their path in it; a blob of just that name is called as its last part is."""
        self._check(place, identity, writes=False)
        found = self._blobs.list_names(place.account, place.container, place.path)
        start = f"{place.path}/" if place.path else ""
        names = {name: name.removeprefix(start) for name in found if name.startswith(start) and not name.endswith("/")}
        if place.path in found:
            names = {place.path: place.path.rpartition("/")[2]}
        if not names:
            raise NoSuchPlace(f"there are no blobs at {place.container}/{place.path}")
        return {short: self._blobs.read(place.account, place.container, name) for name, short in names.items()}

    def _check(self, place: Place, identity: Principal | None, *, writes: bool) -> None:
        """Refuses what the identity, or the account for its key, does not allow."""
        if not place.by_key:
            who = identity.object_id if identity is not None else None
            self._blobs.check_data(place.account, place.container, who, "write" if writes else "read")
        elif place.account.properties.get("allowSharedKeyAccess") is False:
            raise Forbidden("Key based authentication is not permitted on this storage account.")

    def _write(self, place: Place, name: str, content: bytes) -> None:
        path = f"{place.path}/{name}" if place.path else name
        self._blobs.ensure_container(place.account, place.container)
        self._blobs.write(place.account, place.container, path, content)
