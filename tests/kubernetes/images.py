"""Images made of nothing but a few files, for clusters that no registry's host serves."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_image(
    archive: pathlib.Path,
    name: str,
    files: Mapping[str, pathlib.Path],
    *,
    entrypoint: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    user: str = "",
) -> None:
    """Writes an archive as `docker load` and `ctr images import` read it.

    Args:
        archive: The file to write.
        name: The image's name with its tag.
        files: Executable files by their paths in the image.
        entrypoint: The program that a container runs.
        links: What symbolic links in the image point to, by the links' paths.
        user: Whoever a container runs as; root by default.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for path, file in files.items():
            _add(tar, path, file.read_bytes(), 0o755)
        for path, target in (links or {}).items():
            link = tarfile.TarInfo(path.lstrip("/"))
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    config = {
        "architecture": _MACHINES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"], "User": user},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
        "history": [{"created_by": name}],  # so that no two images are one for the kubelet
    }
    content = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(content).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        _add(tar, config_name, content, 0o644)
        _add(tar, "layer.tar", layer.getvalue(), 0o644)
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)


def _add(tar: tarfile.TarFile, path: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def write_busybox(archive: pathlib.Path, name: str) -> None:
    """Writes an image with a shell and the usual small programs, 2 MB."""
    program = shutil.which("busybox")
    assert program is not None, "busybox is not on PATH: run `make cluster`"
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
    links = {f"/bin/{each}": "busybox" for each in names if each != "busybox"}
    write_image(archive, name, {"/bin/busybox": pathlib.Path(program)}, entrypoint=("/bin/sh",), links=links)
