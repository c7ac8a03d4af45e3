"""The run folders on this machine: what is kept of a run when its container is gone.

    <data folder>/runs/<attempt name>/record.json
                                      outputs/
                                      logs/
    <data folder>/mlruns/                           MLflow's file store with every run, for MLflow's own page

The data folder is ``$AML_INFRA_DATA``, else ``$XDG_DATA_HOME/aml-infra``, else ``~/.local/share/aml-infra``: one for
all checkouts, so that a second clone adopts what the first has trained.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import naming
from aml_infra.backends.base import Record, RunGone, RunState, Status
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem

VERSION = 1


def find_data_folder() -> pathlib.Path:
    """The data folder of this user."""
    own = os.environ.get("AML_INFRA_DATA")
    if own:
        return pathlib.Path(own).absolute()
    share = pathlib.Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG specification: a path that is not absolute is ignored.
    return (share if share.is_absolute() else pathlib.Path.home() / ".local" / "share") / "aml-infra"


def open_store(folder: str | None, default: pathlib.Path) -> RecordStore:
    """The store in ``folder``, the value of a backend's option ``data_folder``, else in ``default``.

    Raises:
        InvalidInput: the folder is not absolute; what it would be relative to is the plugin's working folder.
    """
    if folder is not None and not os.path.isabs(folder):
        raise InvalidInput([Problem("backend_options.data_folder", f"is {folder!r}; give an absolute path")])
    return RecordStore(pathlib.Path(folder) if folder is not None else default)


@dataclasses.dataclass(frozen=True)
class RecordStore:
    """Records under one data folder."""

    folder: pathlib.Path

    def locate(self, name: str) -> pathlib.Path:
        """The folder of the attempt called ``name``."""
        return self.folder / "runs" / name

    def read(self, name: str) -> Record | None:
        """The record of the attempt called ``name``, or None if none was written.

        Raises:
            BackendUnavailable: it is there and cannot be read.
        """
        path = self.locate(name) / "record.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return _parse_record(data, self.locate(name))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackendUnavailable(
                f"the record {str(path)!r} cannot be read ({error!r}); restore it, or remove its folder to train again"
            ) from error

    def find_latest(self, run_id: str) -> Record | None:
        """The record of the newest attempt at ``run_id`` that has one, or None."""
        latest = None
        prefix = f"{run_id}-"
        try:
            names = os.listdir(self.folder / "runs")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendUnavailable(
                f"the records below {str(self.folder)!r} cannot be read ({error}); "
                "AML_INFRA_DATA or data_folder must name a folder of yours"
            ) from error
        attempts = [1] if run_id in names else []
        attempts += [
            int(name[len(prefix) :]) for name in names if name.startswith(prefix) and name[len(prefix) :].isdigit()
        ]
        for attempt in sorted(attempts):
            latest = self.read(naming.attempt_name(run_id, attempt)) or latest
        return latest

    def keep(self, state: RunState, fill: Callable[[pathlib.Path], tuple[Mapping[str, float], str]]) -> Record:
        """The record of an attempt that ended: the one that there is, else one that is made now.

        It is whole or not there, and two clients that make the same one do not disturb each other: the first to end
        wins.

        Args:
            state: how the attempt ended.
            fill: puts ``outputs`` and ``logs`` into the folder that it is given, and returns the run's metrics and the
                digest of the image that ran.

        Raises:
            BackendUnavailable: it cannot be written; what ran is still there to be collected.
        """
        known = self.read(state.name)
        if known is not None:
            return known
        try:
            self._write(state, fill)
        except OSError as error:
            raise BackendUnavailable(
                f"the record of {state.name} cannot be written below {str(self.folder)!r} ({error}); "
                "make room or give the right to write there, and run `pulumi up` again"
            ) from error
        written = self.read(state.name)
        if written is None:
            raise RunGone(f"the folder of {state.name} was removed while it was written")
        return written

    def _write(self, state: RunState, fill: Callable[[pathlib.Path], tuple[Mapping[str, float], str]]) -> None:
        runs = self.folder / "runs"
        runs.mkdir(parents=True, exist_ok=True)
        staging = pathlib.Path(tempfile.mkdtemp(prefix=".collecting-", dir=runs))
        try:
            metrics, image_digest = fill(staging)
            data = _build_data(state, metrics, image_digest)
            text = json.dumps(data, indent=2, sort_keys=True, default=str)
            (staging / "record.json").write_text(text + "\n", encoding="utf-8")
            staging.chmod(0o755)
            place = self.locate(state.name)
            if place.exists() and not (place / "record.json").exists():
                # Not ours, or what is left of one that somebody has taken apart: it is kept, under another name.
                place.rename(f"{staging}-was-in-the-way")
            try:
                staging.rename(place)
            except OSError:
                if self.read(state.name) is None:
                    raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def read_tail(path: str, size: int) -> bytes:
    """The last ``size`` bytes at most of a file; empty if there is none."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - size))
            return log.read()
    except FileNotFoundError:
        return b""


def _build_data(state: RunState, metrics: Mapping[str, float], image_digest: str) -> dict[str, Any]:
    moments = {"started_at": state.started_at, "finished_at": state.finished_at}
    return {
        "version": VERSION,
        **dataclasses.asdict(state),
        **{key: moment.isoformat() if moment is not None else None for key, moment in moments.items()},
        "status": state.status.value,
        "metrics": dict(metrics),
        "image_digest": image_digest,
    }


def _parse_record(data: dict[str, Any], folder: pathlib.Path) -> Record:
    if data["version"] != VERSION:
        raise ValueError(f"version is {data['version']!r}, allowed is {VERSION}")
    state = RunState(
        run_id=data["run_id"],
        attempt=data["attempt"],
        fingerprint=data["fingerprint"],
        status=Status(data["status"]),
        started_at=_parse_moment(data["started_at"]),
        finished_at=_parse_moment(data["finished_at"]),
        exit_code=data["exit_code"],
        reason=data["reason"],
        spec=data["spec"],
    )
    return Record(
        state=state,
        metrics=data["metrics"],
        image_digest=data["image_digest"],
        outputs_path=str(folder / "outputs"),
        output_paths={name: str(folder / "outputs" / name) for name in data["spec"].get("outputs") or ()},
        portal_url=folder.as_uri(),
        log_path=str(folder / "logs" / LOG_NAME),
    )


LOG_NAME = "std_log.txt"
"""The name that Azure Machine Learning gives to the log of a run's command."""


def _parse_moment(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None
