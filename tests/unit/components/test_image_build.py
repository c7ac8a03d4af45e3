from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from aml_infra.components import image_build
from aml_infra.components.image_build import (
    Builder,
    BuildRequest,
    build_command,
    clear_credentials,
    describe_builder,
    explain_failure,
    open_secrets,
)
from tests.event_loop import run_alone

REQUEST = BuildRequest(
    dockerfile="FROM x\n", context="ctx", build_args={"B": "2", "A": "1"}, platform="linux/arm64", builder="default"
)


def test_the_whole_command() -> None:
    """The build goes into the cache only, in a stable order, and no secret's value is an argument."""
    command = build_command(REQUEST, "/p/docker-buildx", {"token": "/t/0", "ca": "/etc/ca"})

    assert command == [
        *("/p/docker-buildx", "build", "--builder", "default", "--progress", "plain", "--output", "type=cacheonly"),
        *("--build-arg", "A=1", "--build-arg", "B=2", "--platform", "linux/arm64"),
        *("--secret", "id=ca,src=/etc/ca", "--secret", "id=token,src=/t/0", "--file", "-", "ctx"),
    ]


def test_a_broken_contract_is_listed_once() -> None:
    """Buildx prints a failing step's lines twice; the user reads each violation once."""
    lines = [
        "#8 0.2 image contract: Python >= 3.5 is missing",
        "#8 0.2 image contract: timeout is missing",
        "#8 ERROR: executor failed running",
        "0.2 image contract: Python >= 3.5 is missing",
    ]

    text = explain_failure(lines)

    assert text.splitlines() == [
        "the image cannot run a training, so no training was started",
        "  - Python >= 3.5 is missing",
        "  - timeout is missing",
    ]


def test_an_image_without_a_shell_breaks_the_contract_too() -> None:
    """Without /bin/sh the check cannot even start."""
    line = '#5 0.2 runc run failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file'

    assert "/bin/sh is missing" in explain_failure([line])


def test_another_failure_shows_the_failing_step() -> None:
    """Only what the failing step printed is shown, without the builder's prefixes."""
    lines = [
        "#4 [1/2] FROM x",
        "#5 [2/2] RUN make",
        "#4 DONE 0.0s",
        "#5 1.5 no rule",
        "#5 ERROR: exit code: 2",
        "------",
    ]

    assert explain_failure(lines).splitlines() == [
        "the image could not be built; step [2/2] RUN make",
        "  no rule",
        "  ERROR: exit code: 2",
    ]


def test_a_failure_without_a_step_shows_the_end() -> None:
    """An error of buildx itself has no step."""
    assert explain_failure(["ERROR: no builder"]).splitlines()[-1] == "ERROR: no builder"


def test_buildx_is_found_where_the_configuration_says(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homebrew has it in a folder of its own, named in cliPluginsExtraDirs."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "docker-buildx").touch(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(extra)]}))

    assert image_build.find_buildx() == extra / "docker-buildx"


@pytest.mark.parametrize(
    ("environment", "builder"),
    [
        ({}, "desktop-linux"),
        ({"DOCKER_CONTEXT": "other"}, "other"),
        ({"DOCKER_HOST": "unix:///x", "DOCKER_CONTEXT": "other"}, "default"),
    ],
)
def test_the_builder_is_the_one_of_the_daemon_in_use(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], builder: str
) -> None:
    """The image must be built by the daemon that runs the training."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "desktop-linux"}))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert image_build.find_builder() == builder


def test_the_host_ca_is_the_one_that_the_environment_names(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE comes before the system's own bundle."""
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))

    assert image_build.find_host_ca() == bundle


def test_a_machine_may_have_no_ca_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is no such secret, and that is no error."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    monkeypatch.setattr(image_build, "HOST_CA_BUNDLES", ())

    assert image_build.find_host_ca() is None


def test_the_whole_command_of_a_push() -> None:
    """Caches in the order given, as the first that has a step is used; no platform if none is asked for."""
    request = BuildRequest(
        dockerfile="FROM x\n",
        context="ctx",
        build_args={},
        platform=None,
        builder="colima",
        cache_from=("type=registry,ref=b", "type=local,src=a"),
        cache_to=("type=inline", "type=local,dest=a"),
    )

    assert build_command(request, "buildx", {}, output=image_build.push_as("x.io/a:1")) == [
        *("buildx", "build", "--builder", "colima", "--progress", "plain", "--push", "--tag", "x.io/a:1"),
        *("--cache-from", "type=registry,ref=b", "--cache-from", "type=local,src=a"),
        *("--cache-to", "type=inline", "--cache-to", "type=local,dest=a", "--file", "-", "ctx"),
    ]


def test_the_output_that_stays_here() -> None:
    """In the daemon, and nowhere else."""
    assert image_build.load_as("localhost/a:1") == ("--load", "--tag", "localhost/a:1")


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("failed to push x.io/a:1: 403 Forbidden", "the account must be one that may push there"),
        ("push access denied", "the account must be one that may push there"),
        ("failed to do request: dial tcp: connection refused", "check the registry's name and the network"),
        ("failed to do request: lookup x.io: no such host", "check the registry's name and the network"),
        ("unexpected status: 500 Internal Server Error", "check the registry's name and the network"),
    ],
)
def test_a_push_that_fails_says_why(reason: str, fix: str) -> None:
    """Only an account that the registry refused is at fault."""
    lines = ["#9 pushing x.io/a:1 with docker", "#9 pushing layer 0.1s", f"#9 ERROR: {reason}", "------"]

    assert explain_failure(lines) == (
        f"the image was built, but not pushed: pushing x.io/a:1 with docker: {reason}; {fix}"
    )


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_secrets_are_files_only_meanwhile(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Other programs can read them by their paths; a name may be any text."""
    if platform == "linux" and sys.platform != "linux":
        pytest.skip("files in memory are Linux's")
    monkeypatch.setattr(sys, "platform", platform)
    secrets = {"token": "ä\nb", "../x": ""}

    with open_secrets(secrets) as files:
        read = {name: subprocess.check_output(["cat", path]).decode() for name, path in files.items()}

    assert read == secrets
    assert not any(pathlib.Path(path).exists() for path in files.values())


@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")
def test_secrets_are_on_no_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the program killed, nothing would be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    with open_secrets({"token": "sesame"}) as files:
        assert files["token"].startswith(f"/proc/{os.getpid()}/fd/")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_no_secret_is_left_of_a_build_that_fails(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """Nor of one that is interrupted."""
    if platform == "linux" and sys.platform != "linux":
        pytest.skip("files in memory are Linux's")
    monkeypatch.setattr(sys, "platform", platform)

    with pytest.raises(KeyboardInterrupt), open_secrets({"token": "sesame"}) as files:
        raise KeyboardInterrupt

    assert not pathlib.Path(files["token"]).exists()


def inspect(buildx: pathlib.Path, text: str) -> Builder:
    """What is known of a builder of which buildx says ``text``."""
    buildx.with_name("answer").write_text(text)
    buildx.write_text('#!/bin/sh\necho "$@" > "$0.args"\ncat "${0%/*}/answer"\n')
    return describe_builder("colima")


def test_a_builder_says_what_it_can_do(buildx: pathlib.Path) -> None:
    """Platforms with variants and marks, and whether it writes caches, which takes --debug."""
    builder = inspect(
        buildx,
        "Name:          colima\n"
        "Driver:        docker\n"
        "Nodes:\n"
        "Features:\n"
        "    Automatically load images to the Docker Engine image store: true\n"
        "    Cache export:                                               true\n"
        "Platforms:        linux/amd64*, linux/amd64/v2, linux/arm/v7, linux/386\n",
    )

    assert builder == Builder(
        platforms=("linux/amd64", "linux/amd64/v2", "linux/arm/v7", "linux/386"), exports_cache=True
    )
    assert buildx.with_name("docker-buildx.args").read_text() == "--debug inspect colima\n"


@pytest.mark.parametrize(
    ("text", "builder"),
    [
        ("", Builder()),
        ("ERROR: no builder", Builder()),
        ("    Cache export:    false\n", Builder(exports_cache=False)),
        ("Cache export: perhaps\n", Builder()),
        ("Platforms: linux/arm64\n", Builder(platforms=("linux/arm64",))),
    ],
)
def test_what_a_builder_does_not_say_is_not_known(buildx: pathlib.Path, text: str, builder: Builder) -> None:
    """Other versions of buildx have other words; nobody is refused for that."""
    assert inspect(buildx, text) == builder


def test_a_buildx_that_cannot_be_asked_says_nothing(buildx: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs, one that is no program, or none."""
    buildx.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(image_build, "_INSPECT_SECONDS", 0.05)
    assert describe_builder("default") == Builder()

    buildx.write_text("#!/nowhere\n")
    assert describe_builder("default") == Builder()

    monkeypatch.setattr(image_build, "find_buildx", lambda: None)
    assert describe_builder("default") == Builder()


LONG_AGO = 60


@pytest.fixture
def left(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A configuration with logins that pulumi-docker-build wrote a while ago."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    config = tmp_path / "pulumi-docker-0123" / "config.json"
    config.parent.mkdir()
    config.write_text("{}")
    written = time.time() - LONG_AGO
    os.utime(config, (written, written))
    return config


def test_logins_that_were_left_are_removed(left: pathlib.Path) -> None:
    """And nothing else, as all but them is harmless."""
    other = left.with_name("other.json")
    foreign = left.parent.with_name("another") / "config.json"
    foreign.parent.mkdir()
    for path in (other, foreign):
        path.touch()

    clear_credentials()

    assert (left.exists(), other.exists(), foreign.exists()) == (False, True, True)


def test_logins_of_a_build_that_has_ended_are_removed_at_once(left: pathlib.Path) -> None:
    """Its metadata are written last."""
    os.utime(left)
    left.with_name("metadata.json").touch()

    clear_credentials()

    assert not left.exists()


def test_logins_of_a_build_that_starts_stay(left: pathlib.Path) -> None:
    """Its buildx does not run yet."""
    os.utime(left)

    clear_credentials()

    assert left.exists()


@pytest.fixture
def builder_process(left: pathlib.Path) -> Iterator[None]:
    """A program with the configuration among its arguments, as the buildx of a build."""
    command = ["/bin/sh", "-c", "echo; read line", "buildx", str(left.parent)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    # Its arguments cannot be read before it runs.
    process.stdout.readline()
    yield
    process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the arguments of programs in files")
@pytest.mark.usefixtures("builder_process")
def test_logins_of_a_build_that_runs_stay(left: pathlib.Path) -> None:
    """Another image of the same program may be pushed for minutes."""
    clear_credentials()

    assert left.exists()


def test_a_build_runs_in_the_environment_that_it_is_given(buildx: pathlib.Path) -> None:
    """The one with the registry's login."""
    buildx.write_text('#!/bin/sh\necho "$TOKEN $@" > "$0.args"\n')
    built = image_build.run_build(
        REQUEST,
        secrets={},
        secret_files={"ca": "/etc/ca"},
        say=lambda _: None,
        output=image_build.push_as("x.io/a:1"),
        environment={"TOKEN": "t"},
    )

    run_alone(built)

    words = build_command(REQUEST, "", {"ca": "/etc/ca"}, output=image_build.push_as("x.io/a:1"))[1:]
    assert buildx.with_name("docker-buildx.args").read_text() == f"t {' '.join(words)}\n"


def test_long_lines_are_shortened_on_the_screen_only(buildx: pathlib.Path) -> None:
    """A step's own line holds the whole instruction, and its failure shows it."""
    buildx.write_text(f"#!/bin/sh\necho '#1 {'word ' * 100}'\necho\nexit 3\n")
    said: list[str] = []

    code, lines = run_alone(image_build.run([str(buildx)], text="x" * 100_000, say=said.append))

    assert (code, lines) == (3, [f"#1 {'word ' * 100}".rstrip()])
    assert [len(line) <= image_build.SHOWN_WIDTH and line.endswith(" ...") for line in said] == [True]
