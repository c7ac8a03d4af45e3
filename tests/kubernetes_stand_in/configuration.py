"""The provider's configuration, and which cluster it means."""

from __future__ import annotations

import json
import os
import pathlib
import ssl
from collections.abc import Mapping
from typing import Any

import yaml

from aml_infra.provider.wire import UNKNOWN
from tests.kubernetes_stand_in.transport import ClientTransport
from tests.plugin_stand_ins.errors import ConfigurationError

_SWITCHES = {
    "deleteUnreachable": "PULUMI_K8S_DELETE_UNREACHABLE",
    "enableConfigMapMutable": "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE",
    "enablePatchForce": "PULUMI_K8S_ENABLE_PATCH_FORCE",
    "enableSecretMutable": "PULUMI_K8S_ENABLE_SECRET_MUTABLE",
    "enableServerSideApply": "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY",
    "skipUpdateUnreachable": "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE",
    "suppressDeprecationWarnings": "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS",
    "suppressHelmHookWarnings": "PULUMI_K8S_SUPPRESS_HELM_HOOK_WARNINGS",
    "upsertExistingObjects": "PULUMI_K8S_UPSERT_EXISTING_OBJECTS",
}
"""The switches that are understood, with the environment variable of each."""

_NAMES = frozenset(
    {*_SWITCHES, "clusterIdentifier", "context", "kubeClientSettings", "kubeconfig", "namespace", "version"}
)
_WHERE = ("kubeconfig", "context")
_DEFAULT_NAMESPACE = "default"
_NO_KUBECONFIG = (
    "unable to load Kubernetes client configuration from kubeconfig file. Make sure you have: \n\n"
    " \t • set up the provider as per https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/"
    " \n\n "
)


class Configuration:
    """The configuration as given, with environment variables behind it."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        if not self.is_set("enableServerSideApply", is_default=True):
            raise ConfigurationError(
                "enableServerSideApply is false; the kubernetes stand-in knows server-side apply only"
            )

    def __getitem__(self, name: str) -> str:
        value = self._given.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def is_set(self, name: str, *, is_default: bool = False) -> bool:
        """Whether a switch is on."""
        value = self[name] or os.environ.get(_SWITCHES[name], "")
        return value.lower() == "true" if value else is_default

    @property
    def client_timeout(self) -> float | None:
        """The seconds that a request may take; None is for ever."""
        settings = json.loads(self["kubeClientSettings"] or "{}")
        seconds = settings.get("timeout") or os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT")
        return float(seconds) if seconds else None


def find_unknown(given: Mapping[str, Any]) -> list[str]:
    """The names that are no configuration here."""
    return sorted(name for name, value in given.items() if name not in _NAMES and value not in ("", "false", False))


def connect(configuration: Configuration) -> tuple[ClientTransport, str]:
    """How the cluster is reached, and the default namespace.

    Raises:
        ConfigurationError: If the configuration tells of no cluster.
    """
    from kubernetes import client, config
    from kubernetes.config.kube_config import KubeConfigLoader

    settings = client.Configuration()
    settings.retries = False
    namespace = configuration["namespace"]
    try:
        kubeconfig = load_kubeconfig(configuration["kubeconfig"])
        if kubeconfig is None:
            config.load_incluster_config(settings)
        else:
            loader = KubeConfigLoader(config_dict=kubeconfig, active_context=configuration["context"] or None)
            loader.load_and_set(settings)
            namespace = namespace or loader.current_context["context"].get("namespace", "")
    except (config.ConfigException, yaml.YAMLError, OSError) as error:
        raise ConfigurationError(f"{_NO_KUBECONFIG}{error}") from error
    opened = client.ApiClient(settings)
    _take_certificates(opened)
    return ClientTransport(opened, configuration.client_timeout), namespace or _DEFAULT_NAMESPACE


def _take_certificates(client: Any) -> None:
    """Has a client keep its certificates in memory.

    The official client writes them into files until its process exits; the engine's way to end plugins is to kill them,
    so keys would stay behind.
    """
    from kubernetes.config import kube_config

    settings, pool = client.configuration, client.rest_client.pool_manager.connection_pool_kw
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
    if not settings.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
        pool.pop(name, None)
    pool["ssl_context"] = context
    kube_config._cleanup_temp_files()


def load_kubeconfig(path_or_contents: str) -> Any:
    """A kubeconfig as the official client has it; the default one if nothing is given, None if there is none."""
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigMerger

    if path_or_contents:
        file = _find_file(path_or_contents)
        if file is not None:
            return KubeConfigMerger(str(file)).config
        contents = yaml.safe_load(path_or_contents)
        if not isinstance(contents, dict):
            raise ConfigException(f"{path_or_contents!r} is neither a file nor a kubeconfig")
        return contents
    paths = os.environ.get("KUBECONFIG") or str(pathlib.Path("~/.kube/config").expanduser())
    return KubeConfigMerger(paths).config


def find_replacing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The changed settings that make it another cluster, so that everything on it is replaced."""
    changed = [name for name in {*old, *new} if old.get(name) != new.get(name)]
    if "clusterIdentifier" in changed and "clusterIdentifier" in old and "clusterIdentifier" in new:
        return ["clusterIdentifier"]
    if "clusterIdentifier" in new and "clusterIdentifier" not in changed:
        return []
    unknown = [name for name in _WHERE if new.get(name) is UNKNOWN]
    if unknown:
        return unknown
    before, after = _find_cluster(old), _find_cluster(new)
    is_other = before is not None and after is not None and before != after
    return [name for name in _WHERE if is_other and name in changed]


def _find_cluster(given: Mapping[str, Any]) -> Any:
    """The address and the authority of the cluster that a configuration means; None if that cannot be told."""
    try:
        file = _find_file(given.get("kubeconfig", ""))
        loaded = yaml.safe_load(file.read_text() if file else given.get("kubeconfig", ""))
    except (yaml.YAMLError, OSError):
        return None
    if not isinstance(loaded, dict):
        return None
    contexts = {each["name"]: each.get("context", {}) for each in loaded.get("contexts") or ()}
    named = contexts.get(given.get("context") or loaded.get("current-context"), {}).get("cluster")
    return {each["name"]: each["cluster"] for each in loaded.get("clusters") or ()}.get(named)


def _find_file(path_or_contents: str) -> pathlib.Path | None:
    if not path_or_contents or "\n" in path_or_contents or path_or_contents.startswith("{"):
        return None
    path = pathlib.Path(path_or_contents).expanduser()
    return path if path.is_file() else None
