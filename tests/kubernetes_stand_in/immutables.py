"""Which properties cannot be changed, so that a change replaces the object: the table of the official plugin."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tests.kubernetes_stand_in.objects import Kind
from tests.plugin_stand_ins.differences import Change, Path

_IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))
_SELECTOR = (("spec", "selector"),)
_VOLUME_SOURCES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk", "portworxVolume",
    "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
)  # fmt: skip
_CLAIM = ("accessModes", "selector", "storageClassName", "volumeName")
_JOB = ("completions", "parallelism", "selector", "template")
_TABLE: Mapping[str, Collection[Path]] = {
    "apps/v1/DaemonSet": _SELECTOR,
    "apps/v1/Deployment": _SELECTOR,
    "batch/v1/Job": [("spec", each) for each in _JOB],
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": [("roleRef",)],
    "rbac.authorization.k8s.io/v1/RoleBinding": [("roleRef",)],
    "storage.k8s.io/v1/StorageClass": [("parameters",), ("provisioner",)],
    "v1/PersistentVolume": [("spec", each) for each in _VOLUME_SOURCES],
    "v1/PersistentVolumeClaim": [("spec", each) for each in _CLAIM],
    "v1/ResourceQuota": [("spec", "scopes")],
    "v1/Secret": [("type",)],
    "v1/Service": [("spec", "clusterIP")],
}
_CONTENTS: Mapping[str, Collection[Path]] = {
    "v1/Secret": [("data",), ("stringData",)],
    "v1/ConfigMap": [("data",), ("binaryData",)],
}


def find_replacing(
    kind: Kind, changes: Mapping[Path, Change], new: Mapping[str, Any], mutable: Collection[str]
) -> set[Path]:
    """The changed paths that cannot be changed in place.

    Args:
        kind: What changes.
        changes: How.
        new: The new inputs.
        mutable: Names of the kinds whose contents the configuration lets be changed, unless the object is immutable.
    """
    paths = [*_IDENTITY, *_TABLE.get(str(kind), ())]
    if kind.name not in mutable or new.get("immutable") is True:
        paths += _CONTENTS.get(str(kind), ())
    return {
        path
        for path, change in changes.items()
        if any(
            path[: len(each)] == each or (change is not Change.DELETE and _reaches(path, each, new)) for each in paths
        )
    }


def _reaches(path: Path, deeper: Path, new: Any) -> bool:
    """Whether a change of ``path`` gives ``deeper``, which is below it, a value."""
    if deeper[: len(path)] != path:
        return False
    for key in deeper:
        if not isinstance(new, Mapping) or key not in new:
            return False
        new = new[key]
    return True
