"""Source on its way to Azure Machine Learning, until it is a code version there: 1,000 small files.

Azure is the tests' own, on this machine, with Azurite for the blobs: the wire is not measured, the requests are.
"""

from __future__ import annotations

import os
import pathlib
import time
import uuid
import warnings
from typing import TYPE_CHECKING

import azure.identity

from aml_infra import source
from aml_infra.backends import azureml_request, azureml_upload
from aml_infra.backends.azureml_service import WorkspaceService
from tests.contract import learning_place
from tools.bench import bed, figures, table

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

NAME = "azure-upload"
SUMMARY = "1,000 small files until they are a code version of Azure Machine Learning, against azure-ai-ml"
FILES = 1000
MOST = 0.25


def measure(place: bed.Bed) -> list[table.Row]:
    """Uploads files that nobody has seen before, each time."""
    folder = place.folder / "azure-upload"
    folder.mkdir()
    with learning_place.open_place(folder) as learning:
        before = dict(os.environ)
        os.environ.update(learning.azure.environment)
        try:
            service, reference = learning.open_service(), _open_reference(learning)
            found = figures.interleave(
                {
                    "ours": lambda: _upload(service, _write_files(folder)),
                    "reference": lambda: _upload_reference(reference, _write_files(folder)),
                },
                place.rounds,
                lambda text: place.say(NAME, text),
            )
        finally:
            os.environ.clear()
            os.environ.update(before)
    ours, theirs = figures.find_median(found["ours"]), figures.find_median(found["reference"])
    what = f"{FILES:,} small files until they are a code version / azure-ai-ml"
    return [table.build_ratio_row(what, ours, theirs, most=MOST)]


def _write_files(folder: pathlib.Path) -> pathlib.Path:
    """A folder of files that no other one has."""
    made = folder / uuid.uuid4().hex
    for number in range(FILES):
        path = made / f"part{number % 20}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {made.name} {number}\n" * 20)
    return made


def _upload(service: WorkspaceService, folder: pathlib.Path) -> float:
    begun = time.monotonic()
    snapshot = source.take_snapshot(folder)
    store = service.open_datastore(azureml_request.DATASTORE)
    name = f"{azureml_request.FOLDER}/source/{snapshot.digest}"
    azureml_upload.upload_archive(store, f"{name}/{azureml_request.ARCHIVE}", snapshot, print)
    path = azureml_request.locate_code(service.place, snapshot.digest)
    service.put(path, {"properties": {"codeUri": f"{store.url}/{name}", "isAnonymous": False}})
    return time.monotonic() - begun


def _open_reference(learning: learning_place.LearningPlace) -> MLClient:
    with warnings.catch_warnings():
        # Its schemas are written for an older marshmallow.
        warnings.simplefilter("ignore")
        from azure.ai.ml import MLClient

        place = learning.place
        credential = azure.identity.DefaultAzureCredential()
        return MLClient(credential, place.subscription_id, place.resource_group, place.workspace_name)


def _upload_reference(client: MLClient, folder: pathlib.Path) -> float:
    from azure.ai.ml.entities._assets._artifacts.code import Code

    begun = time.monotonic()
    client._code.create_or_update(Code(name=str(uuid.uuid4()), version="1", path=str(folder)))  # noqa: SLF001
    return time.monotonic() - begun
