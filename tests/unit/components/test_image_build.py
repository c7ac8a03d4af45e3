from __future__ import annotations

import json
import pathlib

import pytest

from aml_infra.components import image_build
from aml_infra.components.image_build import BuildRequest, build_command, explain_failure

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


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("denied: requested access to the resource is denied", "the account must be one that may push there"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "check the registry's name and the network"),
    ],
)
def test_a_failed_push_says_what_to_do(said: str, fix: str) -> None:
    """An account that may not push, and a registry that does not answer, are mended in different places."""
    told = explain_failure(["#9 pushing example.com/team/x:1 with docker", f"#9 ERROR: {said}"])

    assert told.startswith(f"the image was built, but not pushed: pushing example.com/team/x:1 with docker: {said}; ")
    assert fix in told


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
