"""Kubeflow Trainer for tests: its operator and that of JobSets, with the manifests by which people install them."""

from __future__ import annotations

import pathlib
import shutil

from tools.bootstrap import cache, golang, step, versions

_MODULE = "trainer"
_TRAINER = "github.com/kubeflow/trainer/v2"
_JOBSET = "sigs.k8s.io/jobset"
_PACKAGES = {"trainer-controller-manager": f"{_TRAINER}/cmd/trainer-controller-manager", "jobset": _JOBSET}
_MANIFESTS = {"trainer": (_TRAINER, "manifests"), "jobset": (_JOBSET, "config")}
"""Folders of kustomizations in the modules."""


class Trainer(step.Step):
    """Both from their pinned Go modules, of which they are built as their images are."""

    name = "trainer"
    only_for_tests = True

    def __init__(self, tools: step.Tools, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._builder = builder

    def inspect(self) -> step.Finding:
        folder = self.tools.places.trainer
        programs = [name for name in _PACKAGES if not cache.is_program(folder / "bin" / name)]
        manifests = [f"manifests of {name}" for name in _MANIFESTS if not self._locate_manifests(name).is_dir()]
        if missing := [*programs, *manifests]:
            fix = "run `make test-trainer`: it is made ready then"
            return step.Finding(ready=False, text=f"no {', '.join(missing)}", fix=fix)
        return step.Finding(ready=True, text=str(folder), version=versions.TRAINER)

    def provide(self) -> None:
        self.say(versions.TRAINER, f"building from source, some minutes: {self.inspect().text}")
        with self.tools.reporter.watch(self.name, "building") as hear:
            for name, package in _PACKAGES.items():
                target = self.tools.places.trainer / "bin" / name
                if not cache.is_program(target):
                    self._builder.build(_MODULE, package, target, hear)
            for name, (dependency, folder) in _MANIFESTS.items():
                source = self._builder.find_module(_MODULE, dependency, hear) / folder
                with cache.make_folder(self._locate_manifests(name)) as draft:
                    shutil.copytree(source, draft, dirs_exist_ok=True, copy_function=shutil.copyfile)
                    # Files of Go's cache are read-only, and so are its folders.
                    for each in (draft, *draft.rglob("*")):
                        each.chmod(0o755 if each.is_dir() else 0o644)

    def _locate_manifests(self, name: str) -> pathlib.Path:
        return self.tools.places.trainer / "manifests" / name
