from __future__ import annotations

import json
import os
import pathlib

import pytest
import yaml

from aml_infra import InvalidInput
from aml_infra.components import kubeconfig as kubeconfigs
from aml_infra.components.kubeconfig import Access
from tests.unit.components.conftest import KUBECONFIG


def find_problem(given: str | os.PathLike[str] | None = None, context: str | None = None) -> str:
    """The one problem of a way to a cluster, as text; nothing of a login is in it."""
    with pytest.raises(InvalidInput) as caught:
        kubeconfigs.find_access(given, context)
    (problem,) = caught.value.problems
    assert "sesame" not in str(problem)
    return str(problem)


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """An empty home, and nothing that says where a kubeconfig is."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_the_current_context_is_written_down(kubeconfig: pathlib.Path) -> None:
    """So that another one, chosen with kubectl, shows as another cluster and not as nothing."""
    assert kubeconfigs.find_access(None, None) == Access(path=str(kubeconfig), context="team")


def test_another_context_can_be_named(kubeconfig: pathlib.Path) -> None:
    """Whichever is current."""
    assert kubeconfigs.find_access(kubeconfig, "idle") == Access(path=str(kubeconfig), context="idle")


def test_json_is_yaml(kubeconfig: pathlib.Path) -> None:
    """Some programs write it so."""
    kubeconfig.write_text(json.dumps(yaml.safe_load(KUBECONFIG)))

    assert kubeconfigs.find_access(kubeconfig, None).context == "team"


def test_paths_become_absolute(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugins run in folders of their own, and know no ``~``."""
    (home / "own").write_text(KUBECONFIG)
    monkeypatch.chdir(home)

    for given in ("own", "~/own", pathlib.Path("own")):
        assert kubeconfigs.find_access(given, None).path == str(home / "own")
    monkeypatch.setenv("KUBECONFIG", "own")
    assert kubeconfigs.find_access(None, None).path == str(home / "own")


def test_without_a_path_it_is_where_kubectl_looks(home: pathlib.Path) -> None:
    """Where nothing is set, in the user's home."""
    usual = home / ".kube" / "config"
    usual.parent.mkdir()
    usual.write_text(KUBECONFIG)

    assert kubeconfigs.find_access(None, None) == Access(path=str(usual), context="team")


def test_a_pod_has_a_cluster_of_its_own(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has neither a file nor a context, and is not taken where there is a file."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert kubeconfigs.find_access(None, None) == Access()
    assert find_problem(None, "team") == (
        "context: is 'team', and there is no kubeconfig; in a pod leave it out, or give a kubeconfig that has it"
    )
    (home / "own").write_text(KUBECONFIG)
    assert kubeconfigs.find_access(home / "own", None).context == "team"


def test_where_there_is_none_it_says_where_it_looked(home: pathlib.Path) -> None:
    """Both places."""
    usual = str(home / ".kube" / "config")

    assert find_problem() == (
        f"kubeconfig: is not given, $KUBECONFIG is not set, and {usual!r} does not exist; give the path of a "
        "kubeconfig, as `kubectl config view` shows one"
    )


def test_a_path_that_is_missing_is_told_with_what_kubectl_would_take(
    kubeconfig: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """A folder is none, either."""
    fix = f"give the path of a kubeconfig, or leave it out for kubectl's own, {str(kubeconfig)!r}"

    assert find_problem(tmp_path / "x") == f"kubeconfig: {str(tmp_path / 'x')!r} does not exist; {fix}"
    assert find_problem(tmp_path) == f"kubeconfig: {str(tmp_path)!r} is a folder; {fix}"
    assert find_problem(" ") == f"kubeconfig: '' does not exist; {fix}"


def test_a_variable_that_names_nothing_is_told(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be of another shell."""
    monkeypatch.setenv("KUBECONFIG", str(home / "x"))

    assert find_problem() == (
        f"kubeconfig: is not given, and {str(home / 'x')!r} of $KUBECONFIG does not exist; give the path of a "
        "kubeconfig"
    )


def test_several_files_are_refused(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are merged by kubectl, and Pulumi's plugin takes the names of all for that of one."""
    monkeypatch.setenv("KUBECONFIG", "/a:/b")

    assert find_problem() == (
        "kubeconfig: is not given, and $KUBECONFIG names several files, '/a:/b'; give the path of the one that has the "
        "cluster"
    )


def test_a_text_in_place_of_a_path_is_not_shown(kubeconfig: pathlib.Path) -> None:
    """Pulumi's provider takes one, which would have the login in the state."""
    assert find_problem(KUBECONFIG) == (
        "kubeconfig: is the text of a kubeconfig; write it to a file, and give the path of that"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("contexts: [\ntoken: sesame", "is no YAML in line 2; give the path of a kubeconfig"),
        ("sesame", "is no kubeconfig, as it has no list of contexts; give the path of a kubeconfig"),
        ("contexts: sesame", "is no kubeconfig, as it has no list of contexts; give the path of a kubeconfig"),
        ("", "is no kubeconfig, as it has no list of contexts; give the path of a kubeconfig"),
    ],
)
def test_what_is_no_kubeconfig_is_told_without_what_is_in_it(kubeconfig: pathlib.Path, content: str, told: str) -> None:
    """Whatever it is, it may hold a login."""
    kubeconfig.write_text(content)

    assert find_problem() == f"kubeconfig: {str(kubeconfig)!r} {told}"


def test_what_is_no_text_is_told(kubeconfig: pathlib.Path) -> None:
    """As an archive."""
    kubeconfig.write_bytes(b"\xff\xfe\x00")

    assert find_problem() == f"kubeconfig: {str(kubeconfig)!r} is no text; give the path of a kubeconfig"


def test_a_file_that_may_not_be_read_is_told(kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's own word."""

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "read_text", refuse)

    assert find_problem() == (
        f"kubeconfig: {str(kubeconfig)!r} cannot be read: Permission denied; give the path of a kubeconfig that "
        "you may read"
    )


@pytest.mark.parametrize(
    ("changes", "context", "told"),
    [
        ({}, "prod", "context: is 'prod', which {path} does not have; there are idle, team"),
        (
            {"current-context": "prod"},
            None,
            "context: is not given, and the current one is 'prod', which {path} does not have; there are idle, team",
        ),
        ({"current-context": ""}, None, "context: is not given, and {path} has no current one; there are idle, team"),
        (
            {"contexts": []},
            None,
            "context: is not given, and the current one is 'team', which {path} does not have; there are none",
        ),
        (
            {"clusters": [{"name": "small"}, "x"]},
            None,
            "kubeconfig: {path} has no cluster 'large', which its context 'team' names; repair the file",
        ),
        (
            {"users": None},
            "idle",
            "kubeconfig: {path} has no user 'me', which its context 'idle' names; repair the file",
        ),
    ],
)
def test_a_context_must_be_there_with_what_it_names(
    kubeconfig: pathlib.Path, changes: dict[str, object], context: str | None, told: str
) -> None:
    """And those that are there are listed."""
    kubeconfig.write_text(yaml.safe_dump({**yaml.safe_load(KUBECONFIG), **changes}))

    assert find_problem(None, context) == told.format(path=repr(str(kubeconfig)))
