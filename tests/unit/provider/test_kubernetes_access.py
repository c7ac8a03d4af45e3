from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from aml_infra import aks_access, azure_client
from aml_infra.aks_kubeconfig import Access
from aml_infra.backends import kubernetes_api
from aml_infra.errors import AccessDenied, BackendUnavailable
from aml_infra.provider import kubernetes_access

CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/pets"


@dataclasses.dataclass
class Api:
    """An API server that answers one after the other; a moment passes with each look.

    Attributes:
        answers: whether it may be done, or what is wrong.
    """

    answers: list[bool | Exception]
    time: float = 0.0

    def may(self, verb: str, resource: str) -> bool:
        assert (verb, resource) == ("create", "namespaces")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def describe(self, seconds: float) -> Mapping[str, str]:
        """What is found where nobody waits for longer."""

        def sleep(pause: float) -> None:
            self.time += pause

        return kubernetes_access.describe(CLUSTER, seconds, now=lambda: self.time, sleep=sleep)


def open_api(monkeypatch: pytest.MonkeyPatch, answers: Sequence[bool | Exception] = ()) -> Api:
    """A cluster whose API server answers so."""
    api = Api(list(answers))
    monkeypatch.setattr(azure_client, "open_client", lambda: None)
    monkeypatch.setattr(aks_access, "find_access", lambda *_: Access(server="https://pets", authority="Q0E="))
    monkeypatch.setattr(kubernetes_api, "open_api", lambda _: api)
    return api


def test_the_place_is_told_at_once_where_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in previews: the cluster itself is not asked."""
    found = open_api(monkeypatch).describe(0)

    assert found == {"server": "https://pets", "certificateAuthority": "Q0E=", "note": ""}


def test_it_waits_until_a_role_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the cluster does not know the login yet, or its name is not known yet."""
    api = open_api(monkeypatch, [BackendUnavailable("no such host"), AccessDenied("401"), False, True])

    assert api.describe(300)["note"] == ""
    assert api.time == 15


def test_a_role_that_never_counts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fix; what can be done without it is for Kubernetes to say."""
    api = open_api(monkeypatch, [False, False, False])

    assert api.describe(10)["note"] == (
        "this account cannot use the cluster after 10 s (it may not make namespaces there); list it in administrators "
        "of the AksCluster"
    )


def test_a_cluster_that_never_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be done with it."""
    api = open_api(monkeypatch, [BackendUnavailable("no answer")] * 3)

    with pytest.raises(BackendUnavailable, match="no answer"):
        api.describe(10)
