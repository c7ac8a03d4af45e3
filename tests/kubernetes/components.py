"""The command lines of the components that a cluster has once; paths are those inside its namespaces."""

from __future__ import annotations

from tests.kubernetes import supervisor

CREDENTIALS = supervisor.FOLDER / "credentials"
API_PORT = 6443

_ETCD = "http://127.0.0.1:2379"
_ETCD_PEERS = "http://127.0.0.1:2380"
_MANY = ("--kube-api-qps=500", "--kube-api-burst=1000")
"""The limits of a client's requests per second: the defaults, 20 and 30, are for clusters with many clients."""


def build_etcd() -> list[str]:
    """The store, which need not survive a power cut."""
    return [
        "hyperkube", "etcd", "--name=default", f"--data-dir={supervisor.STATE / 'etcd'}", "--unsafe-no-fsync",
        f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_ETCD_PEERS}", f"--initial-advertise-peer-urls={_ETCD_PEERS}",
        f"--initial-cluster=default={_ETCD_PEERS}",
    ]  # fmt: skip


def build_apiserver(address: str, services: str) -> list[str]:
    """The API server at `address`; `services` is the network of ClusterIPs.

    Its admission plugins are the default ones, among them PodSecurity, ResourceQuota and LimitRanger. Pods leave a node
    that does not answer after seconds, instead of the default 5 minutes.
    """
    return [
        "hyperkube", "kube-apiserver", f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0", f"--advertise-address={address}", f"--secure-port={API_PORT}",
        f"--client-ca-file={CREDENTIALS}/authority.crt",
        f"--tls-cert-file={CREDENTIALS}/apiserver.crt", f"--tls-private-key-file={CREDENTIALS}/apiserver.key",
        f"--kubelet-certificate-authority={CREDENTIALS}/authority.crt",
        f"--kubelet-client-certificate={CREDENTIALS}/apiserver.crt",
        f"--kubelet-client-key={CREDENTIALS}/apiserver.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={CREDENTIALS}/service-accounts.key",
        f"--service-account-signing-key-file={CREDENTIALS}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-cluster-ip-range={services}", "--authorization-mode=Node,RBAC", "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
        "--default-not-ready-toleration-seconds=10", "--default-unreachable-toleration-seconds=10",
        "--shutdown-delay-duration=0s", "--shutdown-send-retry-after=false", "--profiling=false",
    ]  # fmt: skip


def build_controller_manager() -> list[str]:
    """All controllers. A node is given up after 20 s without a word, instead of 50 s."""
    return [
        "hyperkube", "kube-controller-manager", *_build_login("controller-manager"), *_MANY,
        "--use-service-account-credentials=true", f"--root-ca-file={CREDENTIALS}/authority.crt",
        f"--service-account-private-key-file={CREDENTIALS}/service-accounts.key",
        "--allocate-node-cidrs=false", "--node-monitor-grace-period=20s", "--node-monitor-period=2s",
    ]  # fmt: skip


def build_scheduler() -> list[str]:
    """The scheduler."""
    return ["hyperkube", "kube-scheduler", *_build_login("scheduler"), *_MANY]


def _build_login(name: str) -> list[str]:
    """How a component that runs once knows the API server, and who asks for its health."""
    kubeconfig = CREDENTIALS / f"{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}", "--bind-address=127.0.0.1", "--leader-elect=false",
        "--profiling=false",
    ]  # fmt: skip
