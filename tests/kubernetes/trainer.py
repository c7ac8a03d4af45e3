"""Kubeflow Trainer in a cluster, as people install it: by its own manifests, and its operators are pods.

Their images have nothing but the programs, which are built from the pinned modules, since no registry that has the
published ones can be reached.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile

import yaml

from tests.kubernetes import cluster, images, objects

RUNTIME = "torch-distributed"
"""The runtime for PyTorch that is installed with it."""

_TRAINER, _JOBSET = "trainer-controller-manager", "jobset"

_DEPLOYMENTS = {
    "jobset-system": "jobset-controller-manager",
    "kubeflow-system": "kubeflow-trainer-controller-manager",
}
_NOBODY = "65532"
_REMOTE = "third-party/jobset"
"""JobSet comes from its own module, and not from the web."""


def install(made: cluster.Cluster) -> None:
    """Installs both operators, the CRDs, their webhooks and the runtime for PyTorch; waits until they serve."""
    programs = {name: _find_program(name) for name in (_JOBSET, _TRAINER)}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "manifests"
        shutil.copytree(programs[_JOBSET].parents[1] / "manifests", place)
        overlay = place / "trainer" / "overlays" / "manager" / "kustomization.yaml"
        lines = overlay.read_text().splitlines(keepends=True)
        overlay.write_text("".join(line for line in lines if _REMOTE not in line))
        _install_operator(made, place / "jobset" / "default", programs[_JOBSET])
        _install_operator(made, overlay.parent, programs[_TRAINER])
        for namespace, name in _DEPLOYMENTS.items():
            made.objects.wait_for("apps/v1", "Deployment", name, _is_available, namespace=namespace, seconds=180)
        _run(
            made,
            "apply",
            "--server-side",
            "-f",
            str(place / "trainer" / "base" / "runtimes" / "torch_distributed.yaml"),
        )


def _install_operator(made: cluster.Cluster, kustomization: pathlib.Path, program: pathlib.Path) -> None:
    """Applies the manifests, with the program under the name that they have for its image."""
    rendered = kustomization.parent / f"{program.name}.yaml"
    rendered.write_text(_run(made, "kustomize", str(kustomization)))
    found = [each for each in yaml.safe_load_all(rendered.read_text()) if each["kind"] == "Deployment"]
    ((container,),) = [each["spec"]["template"]["spec"]["containers"] for each in found]
    archive = rendered.with_suffix(".tar")
    images.write_image(archive, container["image"], {"/manager": program}, entrypoint=("/manager",), user=_NOBODY)
    made.load_image(archive)
    _run(made, "apply", "--server-side", "-f", str(rendered))


def _find_program(name: str) -> pathlib.Path:
    program = shutil.which(name)
    assert program is not None, f"{name} is not on PATH: run `make test-trainer`"
    return pathlib.Path(program)


def _run(made: cluster.Cluster, *words: str) -> str:
    """What kubectl says."""
    argv = ["hyperkube", "kubectl", f"--kubeconfig={made.kubeconfig}", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "NO_PROXY": "*"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def _is_available(deployment: objects.Object) -> bool:
    return cluster.has_condition(deployment, "Available")
