"""The command lines of the components that a cluster has once; paths are those inside its namespaces."""

from __future__ import annotations

from tests.kubernetes import supervisor

CREDENTIALS = supervisor.FOLDER / "credentials"
API_PORT = 6443
PROXY_HEALTH_PORT = 10256
DNS_HEALTH_PORT = 8181
DOMAIN = "cluster.local"

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


def build_apiserver(address: str, services: str, *, has_guard: bool = False) -> list[str]:
    """The API server at `address`; `services` is the network of ClusterIPs; `has_guard` as of `build_webhooks`.

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
        f"--service-cluster-ip-range={services}", "--allow-privileged=true",
        *(build_webhooks() if has_guard else ["--authorization-mode=Node,RBAC"]),
        "--enable-admission-plugins=NodeRestriction",
        "--default-not-ready-toleration-seconds=10", "--default-unreachable-toleration-seconds=10",
        "--shutdown-delay-duration=0s", "--shutdown-send-retry-after=false", "--profiling=false",
    ]  # fmt: skip


def build_webhooks() -> list[str]:
    """Options of an API server that asks a guard about logins, and about rights that its own rules do not give.

    What was refused is asked again at once: a right that is new counts.
    """
    folder = supervisor.FOLDER / "configuration"
    return [
        f"--authentication-token-webhook-config-file={folder}/identify.kubeconfig",
        "--authentication-token-webhook-version=v1",
        "--authorization-mode=Node,RBAC,Webhook",
        f"--authorization-webhook-config-file={folder}/authorize.kubeconfig",
        "--authorization-webhook-version=v1",
        "--authorization-webhook-cache-unauthorized-ttl=0s",
    ]


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


def build_proxy(address: str) -> list[str]:
    """What gives ClusterIPs to services, on all nodes: they share one network.

    The sources of packets are rewritten, as answers from a pod on the same bridge would not come back through it else.
    """
    return [
        "hyperkube", "kube-proxy", f"--kubeconfig={CREDENTIALS}/proxy.kubeconfig", "--hostname-override=node1",
        "--proxy-mode=iptables", "--masquerade-all", f"--healthz-bind-address={address}:{PROXY_HEALTH_PORT}",
        "--metrics-bind-address=127.0.0.1:10249",
        # These are settings of the whole machine.
        "--conntrack-max-per-core=0", "--conntrack-min=0", "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]  # fmt: skip


def build_dns() -> list[str]:
    """CoreDNS, which pods ask."""
    return ["coredns", f"-conf={supervisor.FOLDER}/configuration/Corefile"]


def build_corefile(address: str) -> str:
    """Names of services and pods; other names are refused, as nothing beyond this machine is reached."""
    return f"""\
.:53 {{
  bind {address}
  errors
  ready {address}:{DNS_HEALTH_PORT}
  kubernetes {DOMAIN} in-addr.arpa {{
    kubeconfig {CREDENTIALS}/dns.kubeconfig
    ttl 0
  }}
}}
"""


def _build_login(name: str) -> list[str]:
    """How a component that runs once knows the API server, and who asks for its health."""
    kubeconfig = CREDENTIALS / f"{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}", "--bind-address=127.0.0.1", "--leader-elect=false",
        "--profiling=false",
    ]  # fmt: skip
