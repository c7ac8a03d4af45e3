"""Runs an image's build where the user can see it.

pulumi-docker-build has two ways of building. The one that shows its progress needs a BuildKit container of its own,
which cannot see the daemon's images and cannot be had where no registry answers. The other calls Docker's buildx, which
builds straight into the daemon; but it keeps buildx's output to itself, so that a build of minutes is silent and a
failed one says ``exit status 1`` and no more.

So the same build is run just before it, from a hook, into the daemon's build cache: its lines stream into
``pulumi up``, its failure is told in full, and what pulumi-docker-build then builds is there already. Secrets are
needed by this build only, as a step that is in the cache is not run again; they reach buildx as files, since the
environment cannot hold a whole CA bundle, and are never in the state.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence

from aml_infra.errors import AmlInfraError

SYSTEM_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/Applications/Docker.app/Contents/Resources/cli-plugins",
)
"""Where the Docker CLI looks for its plugins, after the user's own folders."""

HOST_CA_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Linux distributions and macOS keep the CA bundle."""

MISSING_BUILDX = (
    "is not installed, and builds need it; install the package docker-buildx-plugin (or docker-buildx), "
    "see https://docs.docker.com/go/buildx/"
)

SHOWN_WIDTH = 160
"""Longest line of progress; a step's own line holds the whole instruction."""

TAIL_LINES = 30
_LINE_LIMIT = 1024 * 1024
_VIOLATION = re.compile(r"image contract: (?!met$)(.+)$")
_STEP_ERROR = re.compile(r"#(\d+) ERROR: ")
_SECONDS = re.compile(r"^\d+\.\d+ ")
_NO_SHELL = re.compile(r'exec: \\?"/bin/sh\\?"')


class ImageNotBuilt(AmlInfraError):
    """The build failed, or the image breaks the contract for training images."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """One build, as pulumi-docker-build is asked for it.

    Attributes:
        dockerfile: the whole text.
        context: folder of the build context.
        build_args: build arguments.
        platform: None for the builder's own.
        builder: the buildx builder; the one of the daemon is called like its Docker context.
    """

    dockerfile: str
    context: str
    build_args: Mapping[str, str]
    platform: str | None
    builder: str


def build_command(
    request: BuildRequest, buildx: str, secret_files: Mapping[str, str], *, tag: str | None = None
) -> list[str]:
    """The command that builds into the cache, or into an image called ``tag``; the Dockerfile is its standard input."""
    command = [buildx, "build", "--builder", request.builder, "--progress", "plain"]
    command += ["--output", "type=cacheonly"] if tag is None else ["--load", "--tag", tag]
    for name, value in sorted(request.build_args.items()):
        command += ["--build-arg", f"{name}={value}"]
    if request.platform is not None:
        command += ["--platform", request.platform]
    for name, path in sorted(secret_files.items()):
        command += ["--secret", f"id={name},src={path}"]
    return [*command, "--file", "-", request.context]


async def run_build(
    request: BuildRequest,
    *,
    secrets: Mapping[str, str],
    secret_files: Mapping[str, str],
    say: Callable[[str], None],
    tag: str | None = None,
) -> None:
    """Builds, and hands each line of the progress to ``say``.

    Args:
        request: what to build.
        secrets: build secrets by id, as values.
        secret_files: build secrets by id, as files that exist.
        say: takes a line of the build's progress.
        tag: name of the image to make; by default the build only fills the cache.

    Raises:
        ImageNotBuilt: with what the image lacks, or the end of the build's output.
    """
    buildx = find_buildx()
    if buildx is None:
        raise ImageNotBuilt(f"Docker's buildx {MISSING_BUILDX}")
    with tempfile.TemporaryDirectory(prefix="aml-infra-") as folder:
        files = {**secret_files, **write_secrets(secrets, pathlib.Path(folder))}
        process = await asyncio.create_subprocess_exec(
            *build_command(request, str(buildx), files, tag=tag),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_LINE_LIMIT,
        )
        try:
            lines = await _feed(process, request.dockerfile, say)
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    if code:
        raise ImageNotBuilt(explain_failure(lines))


def write_secrets(secrets: Mapping[str, str], folder: pathlib.Path) -> dict[str, str]:
    """Writes each secret to a file in ``folder``, which must be the user's alone; returns their paths."""
    paths = {}
    for index, (name, value) in enumerate(secrets.items()):
        path = folder / str(index)
        path.write_text(value, encoding="utf-8")
        paths[name] = str(path)
    return paths


async def _feed(process: asyncio.subprocess.Process, text: str, say: Callable[[str], None]) -> list[str]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    process.stdin.write(text.encode())
    process.stdin.close()
    lines = []
    async for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        if line:
            lines.append(line)
            say(textwrap.shorten(line, SHOWN_WIDTH, placeholder=" ..."))
    return lines


def explain_failure(lines: Sequence[str]) -> str:
    """What a user needs to read of a failed build's output: what the image lacks, else the output's end."""
    matches = (_VIOLATION.search(line) for line in lines)
    violations = list(dict.fromkeys(match.group(1) for match in matches if match))
    if any(_NO_SHELL.search(line) for line in lines):
        violations.append("/bin/sh is missing; start from a full distribution, such as Debian or Ubuntu")
    if violations:
        listed = "\n".join(f"  - {violation}" for violation in violations)
        return f"the image cannot run a training, so no training was started\n{listed}"
    step = next((match.group(1) for line in lines if (match := _STEP_ERROR.match(line))), None)
    if step is None:
        return "\n".join(["the image could not be built; the build's output ends with", *lines[-TAIL_LINES:]])
    said = [line.partition(" ")[2] for line in lines if line.startswith(f"#{step} ")]
    # The step's own line is the first; what it printed has the seconds in front.
    tail = [_SECONDS.sub("", line) for line in said[1:]][-TAIL_LINES:]
    return "\n".join([f"the image could not be built; step {said[0]}", *(f"  {line}" for line in tail)])


def find_buildx() -> pathlib.Path | None:
    """Docker's buildx, where the Docker CLI, and pulumi-docker-build with it, looks for it."""
    name = "docker-buildx.exe" if os.name == "nt" else "docker-buildx"
    for folder in _find_plugin_folders():
        path = pathlib.Path(folder, name)
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def _find_plugin_folders() -> Iterable[str]:
    config = _find_docker_config()
    extra = _read_docker_config().get("cliPluginsExtraDirs")
    return (*(extra if isinstance(extra, list) else ()), str(config / "cli-plugins"), *SYSTEM_PLUGIN_FOLDERS)


def _find_docker_config() -> pathlib.Path:
    return pathlib.Path(os.environ.get("DOCKER_CONFIG") or pathlib.Path.home() / ".docker")


def _read_docker_config() -> dict[str, object]:
    try:
        content = json.loads((_find_docker_config() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # No configuration, or one that the Docker CLI complains of in its own words.
        return {}
    return content if isinstance(content, dict) else {}


def find_builder() -> str:
    """The builder that is part of the daemon in use: it is called like the Docker context."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    return str(os.environ.get("DOCKER_CONTEXT") or _read_docker_config().get("currentContext") or "default")


def find_host_ca() -> pathlib.Path | None:
    """This machine's CA bundle: ``SSL_CERT_FILE``, else where the system keeps it; None if there is none."""
    candidates = (os.environ.get("SSL_CERT_FILE"), *HOST_CA_BUNDLES)
    return next((pathlib.Path(path) for path in candidates if path and os.path.isfile(path)), None)
