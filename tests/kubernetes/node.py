"""A node: containerd, and a kubelet on it, with a network and cgroups of its own."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import signal
from collections.abc import Mapping

import yaml

from tests.kubernetes import components, credentials, enclosure, supervisor

PAUSE_IMAGE = "cluster.invalid/pause:1"
"""Each pod's first container; it is given to nodes as a file, and no registry is asked for it."""
_STOP_SECONDS = 30

CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "/run/{name}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "/run/{name}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  netns_mounts_under_state_dir = true
  # Root in a container or a small virtual machine may not be allowed to raise a process's chance of survival.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{configuration}/{name}-network"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{configuration}/registries"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CredentialProvider:
    """A program that logs kubelets in to registries, and the way to them.

    See https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/.

    Attributes:
        program: An executable file.
        images: Which images it is asked about, such as `*.azurecr.io`.
        environment: Variables that lead it and the container runtime to the registries, on this machine's localhost.
        ports: Those of localhost that are in the variables.
    """

    program: pathlib.Path
    images: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[int, ...]


class Node:
    """One node; all nodes share the network namespace, so a port of the host's network is one of all of them."""

    def __init__(
        self,
        namespaces: enclosure.Enclosure,
        keys: credentials.Credentials,
        folder: pathlib.Path,
        place: int,
        provider: CredentialProvider | None = None,
    ) -> None:
        """Writes what the node is told; `place` counts from 1."""
        self.name = f"node{place}"
        self.containerd: enclosure.Process | None = None
        self.kubelet: enclosure.Process | None = None
        link = supervisor.build_subnet(namespaces.number, 0)
        self._address = f"{link}.{place + 1}"
        self._namespaces = namespaces
        self._socket = f"/run/{self.name}/containerd.sock"
        self._provider = provider
        self._configuration = supervisor.FOLDER / "configuration"
        self._folder = supervisor.STATE / self.name
        keys.issue(self.name, self.name, self._address)
        keys.write_component(self.name, f"system:node:{self.name}", "system:nodes")
        written = folder / "configuration"
        runtime = CONTAINERD.format(
            name=self.name, folder=self._folder, configuration=self._configuration, pause=PAUSE_IMAGE,
            plugins=find_network_plugins(),
        )  # fmt: skip
        (written / f"{self.name}-containerd.toml").write_text(runtime)
        subnet = f"{supervisor.build_subnet(namespaces.number, place)}.0/24"
        network = build_network(self.name, subnet, str(self._folder / "addresses"))
        (written / f"{self.name}-network").mkdir()
        (written / f"{self.name}-network" / "10-bridge.conflist").write_text(json.dumps(network))
        kubelet = build_kubelet_configuration(self.name, self._address, self._folder, self._socket) | {
            "cgroupRoot": namespaces.make_cgroup(self.name),
            "clusterDNS": [f"{link}.2"],
        }
        (written / f"{self.name}-kubelet.yaml").write_text(yaml.safe_dump(kubelet))
        (written / "resolv.conf").write_text("")
        if provider is not None:
            (written / "credential-providers.yaml").write_text(yaml.safe_dump(build_provider_configuration(provider)))

    def start_containerd(self) -> None:
        """Starts the container runtime."""
        file = self._configuration / f"{self.name}-containerd.toml"
        variables = self._provider.environment if self._provider is not None else {}
        argv = ["env", *(f"{name}={value}" for name, value in variables.items()), "containerd", f"--config={file}"]
        self.containerd = self._namespaces.start(f"{self.name}-containerd", argv)

    def build_ctr(self, *words: str) -> list[str]:
        """A command for the runtime, about what the kubelet uses of it."""
        return ["ctr", f"--address={self._socket}", "--namespace=k8s.io", *words]

    def start_kubelet(self) -> None:
        """Starts the kubelet; what runs on the node goes on."""
        self.kubelet = self._namespaces.start(
            f"{self.name}-kubelet",
            ["hyperkube", "kubelet", f"--config={self._configuration}/{self.name}-kubelet.yaml",
             f"--kubeconfig={components.CREDENTIALS}/{self.name}.kubeconfig", f"--hostname-override={self.name}",
             f"--node-ip={self._address}", f"--root-dir={self._folder}/kubelet",
             f"--cert-dir={self._folder}/kubelet/pki", *self._build_provider_options()],
        )  # fmt: skip

    def _build_provider_options(self) -> list[str]:
        if self._provider is None:
            return []
        file = self._configuration / "credential-providers.yaml"
        folder = self._provider.program.parent
        return [f"--image-credential-provider-config={file}", f"--image-credential-provider-bin-dir={folder}"]

    def kill_kubelet(self) -> None:
        """Kills the kubelet at once; what runs on the node goes on."""
        if self.kubelet is not None:
            self.kubelet.send(signal.SIGKILL)
            self.kubelet.wait(_STOP_SECONDS)


def find_network_plugins() -> pathlib.Path:
    """The folder of the CNI plugins, which the bootstrap puts beside `hyperkube`."""
    program = shutil.which("hyperkube")
    assert program is not None, "hyperkube is not on PATH: run `make cluster`"
    return pathlib.Path(program).parent.parent / "debian" / "usr" / "lib" / "cni"


def build_network(name: str, subnet: str, folder: str) -> dict[str, object]:
    """A bridge for the node's pods; packets to elsewhere are routed."""
    bridge = {
        "type": "bridge",
        "bridge": f"{name}-pods",
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": folder,
            "ranges": [[{"subnet": subnet}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": name, "plugins": [bridge]}


def build_provider_configuration(provider: CredentialProvider) -> dict[str, object]:
    """What the kubelet is told of a program for logins (kubelet.config.k8s.io/v1)."""
    told = {
        "name": provider.program.name,
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": list(provider.images),
        "defaultCacheDuration": "0s",
        "env": [{"name": name, "value": value} for name, value in provider.environment.items()],
    }
    return {"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": [told]}


def build_kubelet_configuration(name: str, address: str, folder: pathlib.Path, endpoint: str) -> dict[str, object]:
    """What the kubelet is told (kubelet.config.k8s.io/v1beta1).

    Limits are such that neither a nearly full disk nor many requests at a time disturb a test.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "containerRuntimeEndpoint": f"unix://{endpoint}",
        "address": address,
        "healthzBindAddress": address,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{components.CREDENTIALS}/authority.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{components.CREDENTIALS}/{name}.crt",
        "tlsPrivateKeyFile": f"{components.CREDENTIALS}/{name}.key",
        "clusterDomain": components.DOMAIN,
        "resolvConf": f"{supervisor.FOLDER}/configuration/resolv.conf",
        "failSwapOn": False,
        "evictionHard": {
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "memory.available": "100Mi",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "serializeImagePulls": False,
        "makeIPTablesUtilChains": False,
        "nodeStatusUpdateFrequency": "5s",
        "nodeLeaseDurationSeconds": 16,
        "podLogsDir": str(folder / "logs"),
        "volumePluginDir": str(folder / "volume-plugins"),
    }
