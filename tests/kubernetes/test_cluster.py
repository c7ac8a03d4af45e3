from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
from kubernetes import client

from tests.kubernetes import cluster as clusters
from tests.kubernetes import manifests, objects, simulation
from tests.kubernetes.cluster import Cluster

WAIT = "until test -e /shared/{name}; do sleep 0.1; done"


def _wait_for_job(cluster: Cluster, namespace: str, name: str, condition: str = "Complete") -> objects.Object:
    return cluster.objects.wait_for(
        "batch/v1", "Job", name, lambda job: clusters.has_condition(job, condition), namespace=namespace
    )


def _wait_for_end(cluster: Cluster, namespace: str, name: str) -> objects.Object:
    """Waits for the end of a pod's only container, and gives how it ended."""
    pod = cluster.objects.wait_for(
        "v1", "Pod", name, lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"}, namespace=namespace
    )
    return dict(pod["status"]["containerStatuses"][0]["state"]["terminated"])


def _run(cluster: Cluster, pod: objects.Object) -> str:
    """Runs a pod to its good end; gives what it printed."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    cluster.objects.apply(pod)
    ended = _wait_for_end(cluster, namespace, name)
    said = client.CoreV1Api(cluster.objects.client).read_namespaced_pod_log(name, namespace)
    assert ended["exitCode"] == 0, said
    return said


def test_an_indexed_job_completes(cluster: Cluster, namespace: str, image: str) -> None:
    """Each of its pods is told its index, and runs."""
    cluster.objects.apply(manifests.build_job("job", namespace, image, "test -n $JOB_COMPLETION_INDEX", pods=2))

    job = _wait_for_job(cluster, namespace, "job")

    assert job["status"]["completedIndexes"] == "0,1"


def test_logs_are_streamed(cluster: Cluster, namespace: str, image: str, tmp_path: pathlib.Path) -> None:
    """A line is there as soon as it was printed, while the pod goes on."""
    script = f"echo one; {WAIT.format(name='go')}; echo two"
    pod = manifests.mount_folder(manifests.build_pod("pod", namespace, image, script), tmp_path)
    cluster.objects.apply(pod)
    cluster.objects.wait_for("v1", "Pod", "pod", clusters.is_ready, namespace=namespace)

    answer: Any = client.CoreV1Api(cluster.objects.client).read_namespaced_pod_log(
        "pod", namespace, follow=True, _preload_content=False
    )
    lines = iter(answer)
    first = next(lines)
    (tmp_path / "go").touch()

    assert (first, list(lines)) == (b"one\n", [b"two\n"])
    answer.release_conn()


def test_commands_are_run_in_pods(cluster: Cluster, namespace: str, image: str) -> None:
    """`exec` reaches the kubelet through the API server."""
    cluster.objects.apply(manifests.build_pod("pod", namespace, image, "exec sleep 600"))
    cluster.objects.wait_for("v1", "Pod", "pod", clusters.is_ready, namespace=namespace)

    assert cluster.objects.execute(namespace, "pod", "cat", "/proc/1/comm") == "sleep\n"


def test_pods_of_a_job_find_one_another(cluster: Cluster, namespace: str, image: str) -> None:
    """A headless service gives each pod a name, on whichever node it is."""
    selector = {"batch.kubernetes.io/job-name": "job"}
    service = manifests.build_service("job", namespace, selector, 1234, clusterIP="None", publishNotReadyAddresses=True)
    cluster.objects.apply(service)
    script = f"""
      if test $JOB_COMPLETION_INDEX = 0; then echo hello | nc -l -p 1234
      else until nc job-0.job.{namespace}.svc.cluster.local 1234 < /dev/null | grep hello; do sleep 0.2; done
      fi"""
    job = manifests.build_job("job", namespace, image, script, pods=2)
    job["spec"]["template"]["spec"]["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": selector},
        }
    ]
    cluster.objects.apply(job)

    _wait_for_job(cluster, namespace, "job")

    pods = cluster.objects.list_all("v1", "Pod", namespace, labels="batch.kubernetes.io/job-name=job")
    assert {pod["spec"]["nodeName"] for pod in pods} == {"node1", "node2"}


def test_services_have_addresses(cluster: Cluster, namespace: str, image: str) -> None:
    """A name leads to a ClusterIP, and that to a pod."""
    cluster.objects.apply(manifests.build_pod("web", namespace, image, "echo hello > /index.html; httpd -f -p 80 -h /"))
    cluster.objects.apply(manifests.build_service("web", namespace, {"app": "web"}, 80))
    service = cluster.objects.read("v1", "Service", "web", namespace)
    assert service is not None
    address, name = service["spec"]["clusterIP"], f"web.{namespace}.svc.cluster.local"
    # Without wget: what it asks of libc crashes a static program on some processors. And each try has an end, as one
    # that began before the service's rules were there leads nowhere.
    naming = f"until nslookup {name} | grep -w {address}; do sleep 0.2; done"
    asking = f"until printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80 | grep hello; do sleep 0.2; done"

    said = _run(cluster, manifests.build_pod("pod", namespace, image, f"{naming}; {asking}"))

    assert said.endswith("hello\n")


def test_pods_reach_the_api_server(cluster: Cluster, namespace: str, image: str) -> None:
    """A client in a pod needs no settings: it is its service account."""
    programs = shutil.which("hyperkube")
    assert programs is not None
    pod = manifests.build_pod("pod", namespace, image, "/shared/hyperkube kubectl auth whoami")

    said = _run(cluster, manifests.mount_folder(pod, pathlib.Path(programs).parent))

    assert f"system:serviceaccount:{namespace}:default" in said


def test_what_a_job_owns_goes_with_it(cluster: Cluster, namespace: str, image: str) -> None:
    """The garbage collector removes its pods."""
    cluster.objects.apply(manifests.build_job("job", namespace, image, "exec sleep 600"))
    cluster.objects.wait_for("batch/v1", "Job", "job", lambda job: job["status"].get("ready"), namespace=namespace)
    (pod,) = cluster.objects.list_all("v1", "Pod", namespace)

    cluster.objects.delete("batch/v1", "Job", "job", namespace)

    cluster.objects.wait_gone("v1", "Pod", pod["metadata"]["name"], namespace=namespace)
    assert cluster.objects.read("batch/v1", "Job", "job", namespace) is None


def test_fake_gpus_are_scheduled(cluster: Cluster, namespace: str, image: str) -> None:
    """A pod gets GPUs that a node has, and is told that there are none left when it asks for more."""
    cluster.give_gpus("node1", 8)
    few, many = ({"limits": {"nvidia.com/gpu": count}} for count in ("8", "16"))
    cluster.objects.apply(manifests.build_job("few", namespace, image, "true", resources=few))
    cluster.objects.apply(manifests.build_pod("many", namespace, image, "true", resources=many))

    _wait_for_job(cluster, namespace, "few")

    pod = cluster.objects.wait_for(
        "v1", "Pod", "many", lambda pod: pod["status"].get("conditions"), namespace=namespace
    )
    refused = pod["status"]["conditions"][0]
    assert refused["reason"] == "Unschedulable"
    assert "Insufficient nvidia.com/gpu" in refused["message"]


def test_simulated_nodes_run_jobs(cluster: Cluster, namespace: str) -> None:
    """Pods for 24 GPUs, of an image that nobody has, end well at once; their logs can be read."""
    cluster.add_simulated_nodes(3)
    gpus = {"limits": {"nvidia.com/gpu": "8"}}
    job = manifests.build_job("job", namespace, "nowhere.invalid/image", "true", pods=3, resources=gpus)
    job["spec"]["template"]["spec"] |= {
        "tolerations": [simulation.TOLERATION],
        "nodeSelector": simulation.NODE_SELECTOR,
    }
    cluster.objects.apply(job)

    _wait_for_job(cluster, namespace, "job")

    pods = cluster.objects.list_all("v1", "Pod", namespace)
    assert all(pod["spec"]["nodeName"].startswith("simulated") for pod in pods)
    api = client.CoreV1Api(cluster.objects.client)
    assert api.read_namespaced_pod_log(pods[0]["metadata"]["name"], namespace) == "simulated\n"


def test_an_evicted_pod_is_replaced(cluster: Cluster, namespace: str, image: str, tmp_path: pathlib.Path) -> None:
    """With a podFailurePolicy that ignores disruptions the Job does not fail, though it may not retry failures."""
    script = "test -e /shared/begun && exit 0; touch /shared/begun; exec sleep 600"
    job = manifests.mount_folder(manifests.build_job("job", namespace, image, script), tmp_path)
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    job["spec"]["podFailurePolicy"] = {"rules": [ignore]}
    probe = {"exec": {"command": ["test", "-e", "/shared/begun"]}, "periodSeconds": 1}
    job["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    cluster.objects.apply(job)
    cluster.objects.wait_for("batch/v1", "Job", "job", lambda job: job["status"].get("ready"), namespace=namespace)
    (pod,) = cluster.objects.list_all("v1", "Pod", namespace)

    cluster.evict(namespace, pod["metadata"]["name"])

    status = _wait_for_job(cluster, namespace, "job")["status"]
    assert (status["succeeded"], status.get("failed", 0)) == (1, 0)


def test_too_much_memory_ends_a_container(cluster: Cluster, namespace: str, image: str) -> None:
    """The kernel kills it, and the kubelet says so."""
    limits = {"limits": {"memory": "32Mi"}}
    cluster.objects.apply(manifests.build_pod("pod", namespace, image, "tail /dev/zero", resources=limits))

    ended = _wait_for_end(cluster, namespace, "pod")

    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_quotas_are_kept(cluster: Cluster, namespace: str, image: str) -> None:
    """A pod that asks for more than is left of its namespace's quota is refused."""
    metadata = {"name": "gpus", "namespace": namespace}
    hard = {"requests.nvidia.com/gpu": "1"}
    cluster.objects.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}})
    cluster.objects.wait_for(
        "v1", "ResourceQuota", "gpus", lambda quota: quota.get("status", {}).get("hard"), namespace=namespace
    )

    with pytest.raises(client.ApiException, match="exceeded quota: gpus") as refused:
        cluster.objects.apply(
            manifests.build_pod("pod", namespace, image, "true", resources={"limits": {"nvidia.com/gpu": "2"}})
        )

    assert refused.value.status == 403


def test_restricted_namespaces_refuse_privileged_pods(cluster: Cluster, namespace: str, image: str) -> None:
    """The pod security standards are enforced."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})

    with pytest.raises(client.ApiException, match=r"violates PodSecurity .*privileged=true") as refused:
        cluster.objects.apply(
            manifests.build_pod("pod", namespace, image, "true", securityContext={"privileged": True})
        )

    assert refused.value.status == 403


def test_other_users_have_few_rights(cluster: Cluster, namespace: str) -> None:
    """A user and a service account may do nothing that nobody granted."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "trainer", "namespace": namespace}}
    cluster.objects.apply(account)
    files = {
        "someone": cluster.write_kubeconfig("someone"),
        f"system:serviceaccount:{namespace}:trainer": cluster.write_service_account_kubeconfig(namespace, "trainer"),
    }

    for user, file in files.items():
        theirs = objects.Objects(file)
        with pytest.raises(client.ApiException, match=f'User \\\\"{user}\\\\" cannot list resource') as refused:
            theirs.list_all("v1", "Pod", namespace)
        theirs.close()
        assert refused.value.status == 403


def test_pods_survive_their_kubelet(cluster: Cluster, namespace: str, image: str) -> None:
    """A kubelet that was killed, and comes back, finds its pods as they were, and its node has its GPUs."""
    cluster.give_gpus("node1", 8)
    pod = manifests.build_pod("pod", namespace, image, "exec sleep 600")
    pod["spec"]["nodeName"] = "node1"
    cluster.objects.apply(pod)
    before = cluster.objects.wait_for("v1", "Pod", "pod", clusters.is_ready, namespace=namespace)

    cluster.kill_kubelet("node1")
    cluster.restart_kubelet("node1")

    after = cluster.objects.wait_for("v1", "Pod", "pod", clusters.is_ready, namespace=namespace)
    containers = [pod["status"]["containerStatuses"][0]["containerID"] for pod in (before, after)]
    assert containers[0] == containers[1]
    node = cluster.objects.read("v1", "Node", "node1")
    assert node is not None
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"


def test_pods_survive_the_api_server(cluster: Cluster, namespace: str, image: str, tmp_path: pathlib.Path) -> None:
    """While it is away pods go on; afterwards it is found at the same address, and learns how they ended."""
    script = f"touch /shared/begun; {WAIT.format(name='go')}; touch /shared/done"
    cluster.objects.apply(manifests.mount_folder(manifests.build_job("job", namespace, image, script), tmp_path))
    cluster.objects.wait_for("batch/v1", "Job", "job", lambda job: job["status"].get("ready"), namespace=namespace)

    cluster.stop_apiserver()
    (tmp_path / "go").touch()
    cluster.start_apiserver()

    _wait_for_job(cluster, namespace, "job")
    assert (tmp_path / "done").exists()
