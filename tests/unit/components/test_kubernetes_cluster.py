from __future__ import annotations

import base64
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from aml_infra import InvalidInput, KubernetesCluster, KubernetesClusterArgs, Registry, RegistryArgs, Toleration
from tests.unit.components.engine import KUBERNETES_PROVIDER, Engine
from tests.unit.components.test_registry import make_workspace

ACCOUNT = ("ghcr.io/team", "me", "sesame")
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
RUNS = {"matchExpressions": [{"key": "aml-infra.run", "operator": "Exists"}]}
"""What finds the pods of runs, in a namespace where there are others."""

pytestmark = pytest.mark.usefixtures("kubeconfig")


def make(engine: Engine, **given: Any) -> dict[str, Any]:
    """Makes a cluster called ``GPU``; gives its outputs, and its options for the backend."""
    engine.resources.clear()

    def program() -> dict[str, Any]:
        cluster = KubernetesCluster("GPU", KubernetesClusterArgs(**given))
        options = pulumi.Output.all(**cluster.backend_options)
        return {"namespace": cluster.namespace, "outputs_claim": cluster.outputs_claim, "options": options}

    return engine.run(program)


def list_objects(engine: Engine) -> dict[str, Mapping[str, Any]]:
    """The inputs of each object in the cluster, by its kind and the name of its resource."""
    return {
        f"{resource.typ.rpartition(':')[2]} {resource.name}": {
            key: value for key, value in resource.inputs.items() if key not in ("apiVersion", "kind")
        }
        for resource in engine.resources
        if resource.typ.startswith("kubernetes:")
    }


def locate(name: str = "gpu", namespace: str = "gpu") -> dict[str, str]:
    """The metadata of an object that has nothing more."""
    return {"name": name, "namespace": namespace}


MINIMAL: dict[str, Any] = {
    "Namespace GPU-namespace": {"metadata": {"name": "gpu", "labels": RESTRICTED}},
    "ServiceAccount GPU-service-account": {"metadata": locate(), "automountServiceAccountToken": False},
    "LimitRange GPU-limits": {
        "metadata": locate(),
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "500m", "memory": "1Gi"}}]},
    },
    "NetworkPolicy GPU-network-policy": {
        "metadata": locate(),
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]},
    },
    "PersistentVolumeClaim GPU-outputs": {
        "metadata": locate("gpu-outputs"),
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "100Gi"}}},
    },
}
"""What there is with nothing but defaults. Names are a contract: another one is another object."""


def test_all_that_defaults_make(engine: Engine) -> None:
    """A namespace, and in it what is around runs; nobody has a token, and nobody else reaches the pods."""
    outputs = make(engine)

    assert list_objects(engine) == MINIMAL
    assert outputs == {
        "namespace": "gpu",
        "outputs_claim": "gpu-outputs",
        "options": {
            "context": "team",
            "namespace": "gpu",
            "claim": "gpu-outputs",
            "service_account": "gpu",
            "shared_memory_gb": "2",
            "pending_minutes": "30",
        },
    }


def test_versions_of_the_api(engine: Engine) -> None:
    """Those that last."""
    make(engine, gpu_quota=1, registry=Registry.external(*ACCOUNT), device_plugin=True)

    assert sorted({resource.typ for resource in engine.resources if resource.typ.startswith("kubernetes:")}) == [
        "kubernetes:apps/v1:DaemonSet",
        "kubernetes:core/v1:LimitRange",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:core/v1:ResourceQuota",
        "kubernetes:core/v1:Secret",
        "kubernetes:core/v1:ServiceAccount",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    ]


def test_every_argument_has_its_place(engine: Engine, kubeconfig: pathlib.Path) -> None:
    """In an object, or among what the backend is told."""
    outputs = make(
        engine,
        kubeconfig=kubeconfig,
        context="idle",
        namespace="vision",
        registry=Registry.external(*ACCOUNT),
        gpu_quota=16,
        cpu_quota=95.5,
        memory_quota_gb=512,
        default_cpus=2,
        default_memory_gb=8,
        storage_class="azurefile-csi",
        storage_gb=0.5,
        shared_storage=False,
        queue="vision",
        node_selector={"pool": "a100", "accelerator": "nvidia"},
        tolerations=[Toleration(key="sku", value="gpu", effect="NoExecute", seconds=60)],
        autoscaling=True,
        priority_class="low",
        shared_memory_gb=16.5,
        egress_cidrs=["10.0.0.0/8"],
        pending_minutes=5,
        runtime="torch-distributed",
    )

    objects = list_objects(engine)
    place = locate(namespace="vision")
    assert objects["Namespace GPU-namespace"]["metadata"]["name"] == outputs["namespace"] == "vision"
    assert objects["ResourceQuota GPU-quota"] == {
        "metadata": place,
        "spec": {"hard": {"requests.cpu": "95500m", "requests.memory": "512Gi", "requests.nvidia.com/gpu": "16"}},
    }
    assert objects["LimitRange GPU-limits"] == {
        "metadata": place,
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "2", "memory": "8Gi"}}]},
    }
    assert objects["NetworkPolicy GPU-network-policy"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"to": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        ],
    }
    assert objects["PersistentVolumeClaim GPU-outputs"] == {
        "metadata": locate("gpu-outputs", "vision"),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "512Mi"}},
            "storageClassName": "azurefile-csi",
        },
    }
    assert outputs["options"] == {
        "kubeconfig": str(kubeconfig),
        "context": "idle",
        "namespace": "vision",
        "claim": "gpu-outputs",
        "service_account": "gpu",
        "pull_secret": "gpu-registry",
        "repository": "ghcr.io/team/gpu-source",
        "queue": "vision",
        "node_selector": '{"accelerator": "nvidia", "pool": "a100"}',
        "tolerations": (
            '[{"effect": "NoExecute", "key": "sku", "operator": "Equal", "tolerationSeconds": 60, "value": "gpu"}]'
        ),
        "autoscaling": "true",
        "priority_class": "low",
        "shared_memory_gb": "16.5",
        "pending_minutes": "5",
        "runtime": "torch-distributed",
    }


def test_a_namespace_that_exists_is_not_touched(engine: Engine) -> None:
    """Nothing in it holds for what others have there: no quota, no defaults, and a policy for our pods alone."""
    outputs = make(engine, namespace="team", create_namespace=False)

    expected = {name: MINIMAL[name] for name in MINIMAL if not name.startswith(("Namespace", "LimitRange"))}
    expected |= {
        "ServiceAccount GPU-service-account": {
            "metadata": locate(namespace="team"),
            "automountServiceAccountToken": False,
        },
        "NetworkPolicy GPU-network-policy": {
            "metadata": locate(namespace="team"),
            "spec": {"podSelector": RUNS, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": RUNS}]}]},
        },
        "PersistentVolumeClaim GPU-outputs": {
            **MINIMAL["PersistentVolumeClaim GPU-outputs"],
            "metadata": locate("gpu-outputs", "team"),
        },
    }
    assert list_objects(engine) == expected
    assert (outputs["namespace"], outputs["options"]["namespace"]) == ("team", "team")


def test_a_claim_that_exists_is_used(engine: Engine) -> None:
    """And none is made."""
    outputs = make(engine, outputs_claim="kept")

    assert list_objects(engine) == {name: MINIMAL[name] for name in MINIMAL if not name.endswith("GPU-outputs")}
    assert (outputs["outputs_claim"], outputs["options"]["claim"]) == ("kept", "kept")


def test_the_login_of_a_registry_is_a_secret(engine: Engine) -> None:
    """In the state, too; as nodes read it: by the host, and Docker Hub by its old address."""
    for server, key in (("ghcr.io/team", "ghcr.io"), ("docker.io/me", "https://index.docker.io/v1/")):
        make(engine, registry=Registry.external(server, "me", "sesame"))

        secret = dict(list_objects(engine)["Secret GPU-registry"])
        data = secret.pop("data")
        assert secret == {"metadata": locate("gpu-registry"), "type": "kubernetes.io/dockerconfigjson"}
        # What the SDK writes around a secret.
        assert set(data) == {"4dabf18193072939515e22adb298388d", "value"}
        content = json.loads(base64.b64decode(data["value"][".dockerconfigjson"]))
        assert content == {"auths": {key: {"auth": base64.b64encode(b"me:sesame").decode()}}}


def test_an_azure_registry_needs_no_login(engine: Engine) -> None:
    """Its tokens end after hours; nodes pull as themselves, and the source is pushed with the login of Azure."""
    options: dict[str, Any] = {}

    def program() -> dict[str, Any]:
        registry = Registry("pets", RegistryArgs(workspace=make_workspace()))
        cluster = KubernetesCluster("GPU", KubernetesClusterArgs(registry=registry))
        options.update(cluster.backend_options)
        return {"repository": options["repository"], "server": registry.server}

    outputs = engine.run(program)

    assert "pull_secret" not in options
    assert outputs["repository"] == f"{outputs['server']}/gpu-source"
    assert list_objects(engine) == MINIMAL
    assert engine.tokens == 0


def test_a_registry_on_this_machine_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster on this machine may have it under the same name, so that it is no error."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, _: warnings.append(message))

    make(engine, registry=Registry.external("localhost:5000", "me", "sesame"))

    assert warnings == ["GPU.registry: is on this machine, and nodes elsewhere cannot pull from it"]


def test_the_device_plugin_is_pinned_and_alone(engine: Engine) -> None:
    """It needs a folder of the node, which the namespace of runs does not allow; no more than that."""
    spot = Toleration(key="spot", effect="NoExecute", seconds=60)
    make(engine, device_plugin=True, node_selector={"pool": "gpu"}, tolerations=[spot])

    objects = list_objects(engine)
    privileged = dict.fromkeys(RESTRICTED, "privileged")
    assert objects.pop("Namespace GPU-device-plugin-namespace") == {
        "metadata": {"name": "gpu-device-plugin", "labels": privileged}
    }
    labels = {"app.kubernetes.io/name": "nvidia-device-plugin"}
    assert objects.pop("DaemonSet GPU-device-plugin") == {
        "metadata": locate("nvidia-device-plugin", "gpu-device-plugin"),
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "nvidia-device-plugin",
                            "image": "nvcr.io/nvidia/k8s-device-plugin:v0.17.1",
                            "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}],
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [{"name": "sockets", "mountPath": "/var/lib/kubelet/device-plugins"}],
                        }
                    ],
                    "nodeSelector": {"pool": "gpu"},
                    "priorityClassName": "system-node-critical",
                    "tolerations": [
                        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                        {"key": "spot", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
                    ],
                    "volumes": [
                        {
                            "name": "sockets",
                            "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"},
                        }
                    ],
                },
            },
        },
    }
    assert objects == MINIMAL


def test_a_taint_that_is_tolerated_anyway_is_tolerated_once(engine: Engine) -> None:
    """Whoever runs on nodes with GPUs has said so, too."""
    make(engine, device_plugin=True, tolerations=[Toleration(key="nvidia.com/gpu", effect="NoSchedule")])

    pod = list_objects(engine)["DaemonSet GPU-device-plugin"]["spec"]["template"]["spec"]
    assert len(pod["tolerations"]) == 1


def test_nothing_of_the_kubeconfig_but_its_path_is_known(engine: Engine, kubeconfig: pathlib.Path) -> None:
    """And the name of the context, which says which cluster it is, so that another path is not another cluster."""
    make(engine)

    provider = engine.find(KUBERNETES_PROVIDER)
    assert provider.name == "GPU-provider"
    assert provider.inputs == {"kubeconfig": str(kubeconfig), "context": "team", "clusterIdentifier": "team"}
    assert "sesame" not in str([resource.inputs for resource in engine.resources])


def test_a_program_in_a_pod_has_neither(
    engine: Engine, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugins find the cluster as it does."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    options = make(engine)["options"]

    assert engine.find(KUBERNETES_PROVIDER).inputs == {"clusterIdentifier": "in-cluster"}
    assert {"kubeconfig", "context"} & set(options) == set()


def test_every_object_is_made_by_that_provider(engine: Engine) -> None:
    """And by none that a stack's configuration may describe."""
    make(engine, gpu_quota=1, registry=Registry.external(*ACCOUNT), device_plugin=True)

    providers = {resource.provider for resource in engine.resources if resource.typ.startswith("kubernetes:")}
    (provider,) = providers
    assert provider is not None
    assert "::GPU-provider::" in provider


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine was asked to register, by name."""
    found: dict[str, Any] = {}
    register: Callable[..., Any] = mocks.MockMonitor.RegisterResource

    def record(monitor: mocks.MockMonitor, request: Any) -> Any:
        found[request.name] = request
        return register(monitor, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", record)
    return found


def test_objects_come_after_their_namespace(engine: Engine, asked: dict[str, Any]) -> None:
    """And are deleted before it."""
    make(engine, gpu_quota=1, registry=Registry.external(*ACCOUNT), device_plugin=True)

    after = {
        name: {urn.rpartition("::")[2] for urn in request.dependencies}
        for name, request in asked.items()
        if request.type.startswith("kubernetes:")
    }
    assert after == {
        "GPU-namespace": set(),
        "GPU-device-plugin-namespace": set(),
        "GPU-device-plugin": {"GPU-device-plugin-namespace"},
        **{
            f"GPU-{part}": {"GPU-namespace"}
            for part in ("limits", "network-policy", "outputs", "quota", "registry", "service-account")
        },
    }


def test_what_runs_have_written_is_never_deleted_alone(engine: Engine, asked: dict[str, Any]) -> None:
    """With the namespace, if that is the stack's: then the records of runs go, too."""
    make(engine, registry=Registry.external(*ACCOUNT))

    assert [name for name, request in asked.items() if request.retainOnDelete] == ["GPU-outputs"]


def test_two_clusters_may_be_in_one_namespace(engine: Engine) -> None:
    """As for two kinds of nodes: whatever they make has names of their own."""

    def program() -> None:
        for name in ("small", "large"):
            KubernetesCluster(name, KubernetesClusterArgs(namespace="team", create_namespace=False))

    engine.run(program)

    names = [
        (resource.typ, resource.inputs["metadata"]["name"])
        for resource in engine.resources
        if resource.typ.startswith("kubernetes:")
    ]
    assert len(names) == len(set(names)) == 6


def test_everything_that_is_wrong_is_told_before_anything_is_made(engine: Engine) -> None:
    """Under the component's name."""
    with pytest.raises(InvalidInput) as caught:
        make(engine, namespace="Team", queue="A")

    assert [problem.path for problem in caught.value.problems] == ["GPU.namespace", "GPU.queue"]
    assert engine.resources == []
