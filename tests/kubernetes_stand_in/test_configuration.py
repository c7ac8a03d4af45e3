from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml

from aml_infra.provider.wire import UNKNOWN
from tests.kubernetes_stand_in import configuration
from tests.kubernetes_stand_in.configuration import Configuration
from tests.plugin_stand_ins.errors import ConfigurationError


def build_kubeconfig(server: str = "https://one.invalid") -> str:
    """A kubeconfig with two contexts of one cluster."""
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": "u", "namespace": name}} for name in ("first", "second")
    ]
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "sesame"}}],
            "contexts": contexts,
            "current-context": "first",
        }
    )


@pytest.fixture(autouse=True)
def nothing_around(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig of this machine, and no variable of it."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for name in ("KUBERNETES_SERVICE_HOST", "PULUMI_K8S_CLIENT_TIMEOUT", "PULUMI_K8S_DELETE_UNREACHABLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("context", "namespace", "expected"), [("", "", "first"), ("second", "", "second"), ("", "own", "own")]
)
def test_a_kubeconfig_may_be_its_contents_or_a_file(
    tmp_path: pathlib.Path, context: str, namespace: str, expected: str
) -> None:
    """The context's namespace is the default one, unless it is configured."""
    (tmp_path / "config").write_text(build_kubeconfig())
    for given in (build_kubeconfig(), str(tmp_path / "config")):
        chosen = Configuration({"kubeconfig": given, "context": context, "namespace": namespace})

        assert configuration.connect(chosen)[1] == expected


def test_the_environment_names_a_kubeconfig(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for kubectl."""
    (tmp_path / "config").write_text(build_kubeconfig())
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))

    assert configuration.connect(Configuration({}))[1] == "first"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kubeconfig": "/missing/file"}, "'/missing/file' is neither a file nor a kubeconfig"),
        ({"kubeconfig": build_kubeconfig(), "context": "third"}, "third"),
        ({}, "Service host/port is not set"),
    ],
)
def test_a_cluster_has_to_be_told(given: dict[str, str], problem: str) -> None:
    """With the words of the official plugin before the client's."""
    with pytest.raises(ConfigurationError, match="unable to load Kubernetes client configuration") as caught:
        configuration.connect(Configuration(given))
    assert problem in str(caught.value)


def test_what_is_no_configuration_is_told() -> None:
    """Also what the official plugin knows and this does not; what is off is no matter."""
    given = {"kubeconfig": "a", "renderYamlToDirectory": "a", "contexts": "a", "alwaysRender": "false", "cluster": ""}

    assert configuration.find_unknown(given) == ["contexts", "renderYamlToDirectory"]


def test_switches_are_configured_or_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration goes first."""
    assert not Configuration({}).is_set("deleteUnreachable")
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")

    assert Configuration({}).is_set("deleteUnreachable")
    assert not Configuration({"deleteUnreachable": "false"}).is_set("deleteUnreachable")


def test_objects_are_applied_by_the_server_only() -> None:
    """The other way is not written here."""
    with pytest.raises(ConfigurationError, match="enableServerSideApply is false"):
        Configuration({"enableServerSideApply": "false"})


def test_requests_may_have_a_timeout() -> None:
    """In seconds."""
    assert Configuration({"kubeClientSettings": '{"timeout": 5}'}).client_timeout == 5
    assert Configuration({}).client_timeout is None


ONE, OTHER = build_kubeconfig(), build_kubeconfig("https://two.invalid")


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        ({"kubeconfig": ONE}, {"kubeconfig": ONE}, []),
        ({"kubeconfig": ONE}, {"kubeconfig": ONE.replace("sesame", "other")}, []),
        ({"kubeconfig": ONE}, {"kubeconfig": ONE, "context": "second"}, []),
        ({"kubeconfig": ONE}, {"kubeconfig": OTHER}, ["kubeconfig"]),
        ({"kubeconfig": ONE}, {"kubeconfig": UNKNOWN}, ["kubeconfig"]),
        ({"kubeconfig": ONE}, {}, []),
        ({"kubeconfig": ONE, "clusterIdentifier": "a"}, {"kubeconfig": OTHER, "clusterIdentifier": "a"}, []),
        ({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}, ["clusterIdentifier"]),
    ],
)
def test_another_cluster_replaces_everything(old: dict[str, Any], new: dict[str, Any], replaces: list[str]) -> None:
    """Another address is one, another user is not."""
    assert configuration.find_replacing(old, new) == replaces
