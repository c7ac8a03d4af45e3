"""The docker-build plugin of Pulumi, and the buildx plugin of Docker that it runs."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Callable

from tools.bootstrap import cache, errors, golang, release, sources, step, versions

_PLUGIN = "pulumi-resource-docker-build"
"""A file beside our own build of the plugin, with the reason for it; it goes where the plugin goes."""
_BUILDX = "docker-buildx"
_BUILDX_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/Applications/Docker.app/Contents/Resources/cli-plugins",
)


class DockerBuild(step.Step):
    """The plugin that builds images, in the version that the locked Python package asks for."""

    name = "docker-build"

    def __init__(self, tools: step.Tools, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._builder = builder

    def inspect(self) -> step.Finding:
        program = self.tools.places.plugin / _PLUGIN
        if cache.is_program(program):
            return step.Finding(ready=True, text=str(program), version=versions.DOCKER_BUILD)
        return step.Finding(ready=False, text=f"not in {self.tools.places.plugin.parent}")

    def provide(self) -> None:
        own = self.tools.places.docker_build / _PLUGIN
        if cache.is_program(own):
            self.say(versions.DOCKER_BUILD, f"from the cache: {self.inspect().text}")
        else:
            self._make(own)
        # A real folder with a real file: the engine does not follow links here.
        with cache.make_folder(self.tools.places.plugin) as draft:
            _duplicate(own, draft / _PLUGIN)

    def _make(self, own: pathlib.Path) -> None:
        def build(hear: Callable[[str], None]) -> None:
            self._builder.build(
                "docker-build",
                f"github.com/pulumi/pulumi-docker-build/provider/cmd/{_PLUGIN}",
                own,
                hear,
                defines=f"github.com/pulumi/pulumi-docker-build/provider.Version={versions.DOCKER_BUILD}",
            )

        sources.download_or_build(
            self,
            version=versions.DOCKER_BUILD,
            official=versions.build_docker_build_release(self.tools.places.system, self.tools.places.machine),
            take=lambda archive: release.unpack(archive, own.parent, {_PLUGIN}),
            build=build,
        )


class Buildx(step.Step):
    """The plugin through which the Docker command line reaches BuildKit."""

    name = "buildx"

    def __init__(self, tools: step.Tools, builder: golang.GoBuilder) -> None:
        super().__init__(tools)
        self._builder = builder

    def inspect(self) -> step.Finding:
        oldest = versions.parse_version(versions.BUILDX_OLDEST)
        text = "not in Docker's plugin folders"
        for folder in self._find_folders():
            program = folder / _BUILDX
            if cache.is_program(program):
                numbers = self.tools.book.find_version(program, "version")
                version = ".".join(map(str, numbers)) or "unknown"
                if numbers >= oldest:
                    return step.Finding(ready=True, text=str(program), version=version)
                # Docker takes the first that it finds, so a newer one further on does not help.
                return step.Finding(
                    ready=False, text=f"{program} is {version}, older than {versions.BUILDX_OLDEST}", version=version
                )
        return step.Finding(ready=False, text=text)

    def provide(self) -> None:
        own = self.tools.places.buildx / _BUILDX
        place = self.tools.places.docker_home / "cli-plugins" / _BUILDX
        if os.path.lexists(place):
            raise errors.BootstrapError(
                f"{self.inspect().text}, and what you installed yourself is not replaced: update or remove {place}"
            )
        if not cache.is_program(own):
            self._make(own)
        self.say(versions.BUILDX, f"put into {place}, where Docker looks for it")
        place.parent.mkdir(parents=True, exist_ok=True)
        with cache.make_file(place, mode=0o755) as draft:
            shutil.copyfile(own, draft)

    def _find_folders(self) -> list[pathlib.Path]:
        """Where Docker looks, in its order."""
        own = self.tools.places.docker_home
        extra: list[str] = []
        try:
            named = json.loads((own / "config.json").read_text()).get("cliPluginsExtraDirs")
            extra = [str(folder) for folder in named or ()]
        except (OSError, ValueError, AttributeError, TypeError):
            pass  # no settings, or such as Docker itself complains about
        return [pathlib.Path(folder) for folder in (*extra, str(own / "cli-plugins"), *_BUILDX_FOLDERS)]

    def _make(self, own: pathlib.Path) -> None:
        def take(program: pathlib.Path) -> None:
            with cache.make_file(own, mode=0o755) as draft:
                shutil.copyfile(program, draft)

        def build(hear: Callable[[str], None]) -> None:
            version = f"github.com/docker/buildx/version.Version=v{versions.BUILDX}"
            self._builder.build("docker-build", "github.com/docker/buildx/cmd/buildx", own, hear, defines=version)

        sources.download_or_build(
            self,
            version=versions.BUILDX,
            official=versions.build_buildx_release(self.tools.places.system, self.tools.places.machine),
            take=take,
            build=build,
        )


def _duplicate(source: pathlib.Path, target: pathlib.Path) -> None:
    """A hard link where both are on one file system, else a copy."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copy(source, target)
