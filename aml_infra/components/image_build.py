"""Runs an image's build where the user can see it.

pulumi-docker-build has two ways of building. The one that shows its progress needs a BuildKit container of its own,
which cannot see the daemon's images and cannot be had where no registry answers. The other calls Docker's buildx, which
builds straight into the daemon; but it keeps buildx's output to itself, so that a build of minutes is silent and a
failed one says ``exit status 1`` and no more.

So the same build is run just before it, from a hook, into the daemon's build cache: its lines stream into
``pulumi up``, its failure is told in full, and what pulumi-docker-build then builds is there already. Secrets are
needed by this build only, as a step that is in the cache is not run again; they reach buildx as files, since the
environment cannot hold a whole CA bundle, and are never in the state.

Where the image goes to a registry, this build pushes it, too: a push of minutes is as silent otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

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
REFUSED = re.compile(r"\b40[13]\b|unauthorized|authentication required|denied|no basic auth", re.IGNORECASE)
"""In what a registry, or a program that asked it, says of an account that it does not take."""

_PLATFORM = re.compile(r"linux/[a-z0-9]+(?:/v\d+)?")
_CACHE_EXPORT = re.compile(r"^\s*Cache export:\s+(true|false)\s*$", re.MULTILINE)
_INSPECT_SECONDS = 30

STARTING_SECONDS = 1
"""Time that pulumi-docker-build takes at most from writing a configuration to starting the build that reads it."""

CACHE_ONLY = ("--output", "type=cacheonly")
"""The output of a build that makes no image."""


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
        cache_from: specs of caches to read.
        cache_to: specs of caches to write.
    """

    dockerfile: str
    context: str
    build_args: Mapping[str, str]
    platform: str | None
    builder: str
    cache_from: Sequence[str] = ()
    cache_to: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Builder:
    """What a buildx builder says that it can do.

    Attributes:
        platforms: what it can run a build for; empty if it does not say.
        exports_cache: whether it can write a cache other than ``type=inline``; None if it does not say.
    """

    platforms: tuple[str, ...] = ()
    exports_cache: bool | None = None


def load_as(tag: str) -> tuple[str, ...]:
    """The output of a build that makes the image ``tag`` in the Docker daemon."""
    return ("--load", "--tag", tag)


def push_as(tag: str) -> tuple[str, ...]:
    """The output of a build that makes the image ``tag`` in the Docker daemon and pushes it to its registry."""
    return ("--push", "--tag", tag)


def build_command(
    request: BuildRequest, buildx: str, secret_files: Mapping[str, str], *, output: Sequence[str] = CACHE_ONLY
) -> list[str]:
    """The command of a build; the Dockerfile is its standard input."""
    command = [buildx, "build", "--builder", request.builder, "--progress", "plain", *output]
    for name, value in sorted(request.build_args.items()):
        command += ["--build-arg", f"{name}={value}"]
    if request.platform is not None:
        command += ["--platform", request.platform]
    for spec in request.cache_from:
        command += ["--cache-from", spec]
    for spec in request.cache_to:
        command += ["--cache-to", spec]
    for name, path in sorted(secret_files.items()):
        command += ["--secret", f"id={name},src={path}"]
    return [*command, "--file", "-", request.context]


async def run_build(
    request: BuildRequest,
    *,
    secrets: Mapping[str, str],
    secret_files: Mapping[str, str],
    say: Callable[[str], None],
    output: Sequence[str] = CACHE_ONLY,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Builds, and hands each line of the progress to ``say``.

    Args:
        request: what to build.
        secrets: build secrets by id, as values.
        secret_files: build secrets by id, as files that exist.
        say: takes a line of the build's progress.
        output: what becomes of the image; by default the build only fills the cache.
        environment: of buildx; this process's own by default.

    Raises:
        ImageNotBuilt: with what the image lacks, or the end of the build's output.
    """
    buildx = find_buildx()
    if buildx is None:
        raise ImageNotBuilt(f"Docker's buildx {MISSING_BUILDX}")
    with open_secrets(secrets) as files:
        command = build_command(request, str(buildx), {**secret_files, **files}, output=output)
        code, lines = await run(command, text=request.dockerfile, say=say, environment=environment)
    if code:
        raise ImageNotBuilt(explain_failure(lines))


async def run(
    command: Sequence[str],
    *,
    text: str = "",
    say: Callable[[str], None] = lambda _: None,
    environment: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Runs ``command`` with the input ``text``; returns its exit code and its lines, of which ``say`` is told live."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LINE_LIMIT,
        env=environment,
    )
    try:
        lines = await _feed(process, text, say)
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    return code, lines


@contextlib.contextmanager
def open_secrets(secrets: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Maps each name to the path of a file that holds its text, for programs that this process runs meanwhile.

    On Linux it is a file in memory, reached by way of this process: were it killed, nothing would be left behind.
    """
    with contextlib.ExitStack() as opened:
        if sys.platform == "linux":
            yield {name: _write_to_memory(text, opened) for name, text in secrets.items()}
            return
        folder = pathlib.Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="aml-infra-")))
        paths = {name: folder / str(index) for index, name in enumerate(secrets)}
        for name, path in paths.items():
            path.write_text(secrets[name], encoding="utf-8")
        yield {name: str(path) for name, path in paths.items()}


def _write_to_memory(text: str, opened: contextlib.ExitStack) -> str:
    descriptor = os.memfd_create("aml-infra")
    opened.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as stream:
        stream.write(text.encode())
    return f"/proc/{os.getpid()}/fd/{descriptor}"


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


def clear_credentials() -> None:
    """Removes the logins that pulumi-docker-build has left in the temporary folder.

    In each build it writes a Docker configuration there, with all of the user's logins and those of the image, and
    never removes it (0.0.22), whether the build succeeds, fails or is interrupted. Only that file is removed, and only
    where the build has ended: its metadata are written last, and its buildx has the folder among its arguments.
    """
    for config in pathlib.Path(tempfile.gettempdir()).glob("pulumi-docker-*/config.json"):
        with contextlib.suppress(OSError):
            is_done = config.with_name("metadata.json").exists()
            if is_done or (time.time() - config.stat().st_mtime > STARTING_SECONDS and not _is_in_use(config.parent)):
                config.unlink()


def _is_in_use(folder: pathlib.Path) -> bool:
    """Whether a process has ``folder`` among its arguments; without /proc that is not known, and so taken for true."""
    processes = [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.parent.name.isdigit()]
    for path in processes:
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in path.read_bytes():
                return True
    return not processes


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
    if said[0].startswith("pushing "):
        reason = said[-1].removeprefix("ERROR: ")
        is_refused = REFUSED.search(reason) is not None
        fix = (
            "the account must be one that may push there" if is_refused else "check the registry's name and the network"
        )
        return f"the image was built, but not pushed: {said[0]}: {reason}; {fix}"
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
    config = find_docker_config()
    extra = read_docker_config().get("cliPluginsExtraDirs")
    return (*(extra if isinstance(extra, list) else ()), str(config / "cli-plugins"), *SYSTEM_PLUGIN_FOLDERS)


def find_docker_config() -> pathlib.Path:
    """The folder of Docker's own configuration."""
    return pathlib.Path(os.environ.get("DOCKER_CONFIG") or pathlib.Path.home() / ".docker")


def read_docker_config() -> dict[str, object]:
    """Docker's ``config.json``; empty if there is none."""
    try:
        content = json.loads((find_docker_config() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # No configuration, or one that the Docker CLI complains of in its own words.
        return {}
    return content if isinstance(content, dict) else {}


def find_builder() -> str:
    """The builder that is part of the daemon in use: it is called like the Docker context."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    return str(os.environ.get("DOCKER_CONTEXT") or read_docker_config().get("currentContext") or "default")


def describe_builder(name: str) -> Builder:
    """What the builder ``name`` can do; what it does not say, or says in other words, is not known."""
    buildx = find_buildx()
    if buildx is None:
        return Builder()
    try:
        # Only with --debug it says whether it can write a cache.
        asked = subprocess.run(  # noqa: S603 - the user's own buildx
            [buildx, "--debug", "inspect", name],
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSPECT_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Builder()
    platforms = next((line for line in asked.stdout.splitlines() if line.startswith("Platforms:")), "")
    export = _CACHE_EXPORT.search(asked.stdout)
    return Builder(
        platforms=tuple(_PLATFORM.findall(platforms)), exports_cache=None if export is None else export[1] == "true"
    )


def find_host_ca() -> pathlib.Path | None:
    """This machine's CA bundle: ``SSL_CERT_FILE``, else where the system keeps it; None if there is none."""
    candidates = (os.environ.get("SSL_CERT_FILE"), *HOST_CA_BUNDLES)
    return next((pathlib.Path(path) for path in candidates if path and os.path.isfile(path)), None)
