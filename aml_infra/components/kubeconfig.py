"""How a Kubernetes cluster is reached: a context of a kubeconfig, or the cluster that the program itself runs in.

Follows https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/. Only names are taken from
the file, and no message quotes it: logins are in it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

import yaml

from aml_infra.errors import InvalidInput, Problem

VARIABLE = "KUBECONFIG"
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
"""What Kubernetes sets in each pod."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Access:
    """A way to a cluster.

    Attributes:
        path: of the kubeconfig, absolute; None in a pod of the cluster, which has a login of its own.
        context: name of the context in it; None in a pod.
    """

    path: str | None = None
    context: str | None = None


def find_access(given: str | os.PathLike[str] | None, context: str | None) -> Access:
    """The way to the cluster that the user means; the cluster itself is not asked.

    Args:
        given: path of a kubeconfig; None for the one that kubectl takes, or else, in a pod, for the pod's cluster.
        context: name of the context; None for the current one.

    Raises:
        InvalidInput: there is no such kubeconfig, or no such context in it, or it cannot be read.
    """
    path = _find_path(given)
    if path is not None:
        return Access(path=path, context=_find_context(path, context))
    if context is not None:
        fix = "in a pod leave it out, or give a kubeconfig that has it"
        raise InvalidInput([Problem("context", f"is {context!r}, and there is no kubeconfig; {fix}")])
    return Access()


def _find_path(given: str | os.PathLike[str] | None) -> str | None:
    if given is not None:
        return _locate(os.fspath(given))
    variable, usual = os.environ.get(VARIABLE), _find_usual()
    if variable and os.pathsep in variable:
        fix = "give the path of the one that has the cluster"
        raise _refuse(f"is not given, and ${VARIABLE} names several files, {variable!r}; {fix}")
    if variable:
        path = os.path.abspath(os.path.expanduser(variable))
        if not os.path.exists(path):
            raise _refuse(f"is not given, and {path!r} of ${VARIABLE} does not exist; give the path of a kubeconfig")
        return path
    if usual.exists():
        return str(usual)
    if IN_CLUSTER in os.environ:
        return None
    told = f"is not given, ${VARIABLE} is not set, and {str(usual)!r} does not exist"
    raise _refuse(f"{told}; give the path of a kubeconfig, as `kubectl config view` shows one")


def _locate(given: str) -> str:
    if "\n" in given:
        # Not shown, as it has the login in it.
        raise _refuse("is the text of a kubeconfig; write it to a file, and give the path of that")
    path = os.path.abspath(os.path.expanduser(given)) if given.strip() else ""
    if not os.path.isfile(path):
        taken = repr(os.environ.get(VARIABLE) or str(_find_usual()))
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise _refuse(f"{path!r} {what}; give the path of a kubeconfig, or leave it out for kubectl's own, {taken}")
    return path


def _find_usual() -> pathlib.Path:
    return pathlib.Path.home() / ".kube" / "config"


def _find_context(path: str, wanted: str | None) -> str:
    """The name of the context, if the file has what it needs."""
    content = _read(path)
    contexts = _read_named(content, "contexts", "context")
    there = f"there are {', '.join(sorted(contexts))}" if contexts else "there are none"
    current = content.get("current-context")
    name = wanted if wanted is not None else current
    if not isinstance(name, str) or not name:
        raise _refuse(f"is not given, and {path!r} has no current one; {there}", "context")
    if name not in contexts:
        what = f"is {name!r}" if wanted is not None else f"is not given, and the current one is {name!r}"
        raise _refuse(f"{what}, which {path!r} does not have; {there}", "context")
    for kind in ("cluster", "user"):
        named = contexts[name].get(kind)
        if named not in _read_named(content, f"{kind}s", kind):
            raise _refuse(f"{path!r} has no {kind} {named!r}, which its context {name!r} names; repair the file")
    return name


def _read(path: str) -> dict[str, Any]:
    fix = "give the path of a kubeconfig"
    try:
        content = yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise _refuse(f"{path!r} cannot be read: {error.strerror}; {fix} that you may read") from None
    except UnicodeDecodeError:
        raise _refuse(f"{path!r} is no text; {fix}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise _refuse(f"{path!r} is no YAML{where}; {fix}") from None
    if not isinstance(content, dict) or not isinstance(content.get("contexts"), list):
        raise _refuse(f"{path!r} is no kubeconfig, as it has no list of contexts; {fix}")
    return content


def _read_named(content: dict[str, Any], plural: str, singular: str) -> dict[str, dict[str, Any]]:
    """What a list of the file has under each name."""
    entries = content.get(plural)
    return {
        str(entry["name"]): entry[singular]
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and "name" in entry and isinstance(entry.get(singular), dict)
    }


def _refuse(message: str, path: str = "kubeconfig") -> InvalidInput:
    return InvalidInput([Problem(path, message)])
