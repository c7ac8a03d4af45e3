"""All steps, and how they are run."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from concurrent import futures

from tools.bootstrap import (
    azurite,
    base_image,
    cache,
    cluster,
    daemon,
    engine,
    errors,
    golang,
    plugins,
    registry,
    step,
    trainer,
    venv,
)


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps by their roles."""

    uv: venv.Uv
    venv: venv.Venv
    pulumi: engine.Engine
    language: engine.LanguageHost
    docker_build: plugins.DockerBuild
    buildx: plugins.Buildx
    docker: daemon.Docker
    base_image: base_image.BaseImage
    registry: registry.Registry
    azurite: azurite.Azurite
    cluster: cluster.Cluster
    trainer: trainer.Trainer
    builder: golang.GoBuilder

    @property
    def chains(self) -> list[list[step.Step]]:
        """Steps that need one another, in order; chains run side by side."""
        return [
            [
                self.uv,
                self.venv,
                self.pulumi,
                self.language,
                self.docker_build,
                self.buildx,
                self.azurite,
                self.cluster,
                self.trainer,
            ],
            [self.docker, self.base_image, self.registry],
        ]

    @property
    def names(self) -> list[str]:
        """The names of all steps, in order."""
        return [each.name for chain in self.chains for each in chain]


def build_steps(tools: step.Tools) -> Steps:
    """All steps, wired together."""
    uv = venv.Uv(tools)
    builder = golang.GoBuilder(tools, uv)
    cli = engine.Engine(tools, builder)
    docker = daemon.Docker(tools)
    return Steps(
        uv=uv,
        venv=venv.Venv(tools, uv),
        pulumi=cli,
        language=engine.LanguageHost(tools, cli, builder),
        docker_build=plugins.DockerBuild(tools, builder),
        buildx=plugins.Buildx(tools, builder),
        docker=docker,
        base_image=base_image.BaseImage(tools, docker),
        registry=registry.Registry(tools),
        azurite=azurite.Azurite(tools, uv),
        cluster=cluster.Cluster(tools, builder),
        trainer=trainer.Trainer(tools, builder),
        builder=builder,
    )


def ensure(tools: step.Tools, steps: Steps, only: Sequence[str] = ()) -> bool:
    """Runs each step, or each named in `only`, that is not done yet.

    Returns:
        Whether there was anything to do.

    Raises:
        BootstrapError: a step cannot be done; the others' results are kept.
    """
    chains = [[each for each in chain if not only or each.name in only] for chain in steps.chains]
    if all(each.inspect().ready for chain in chains for each in chain):
        return False
    obstacles = [text for chain in chains for each in chain if (text := each.find_obstacle())]
    if obstacles:
        raise errors.BootstrapError("\n".join(obstacles))
    began = time.monotonic()
    cache_folder = tools.places.cache
    with cache.hold(
        cache_folder, lambda: tools.reporter.warn(f"waiting for another bootstrap that uses {cache_folder}")
    ):
        _run_side_by_side(tools, [chain for chain in chains if chain])
        steps.builder.clean()
    tools.reporter.close(time.monotonic() - began)
    return True


def _run_side_by_side(tools: step.Tools, chains: list[list[step.Step]]) -> None:
    """Runs chains in threads; after a failure no new step is begun, but those under way (apt-get!) end well."""
    failed = threading.Event()

    def run(chain: list[step.Step]) -> None:
        for each in chain:
            if failed.is_set():
                return
            try:
                _run_step(tools, each)
            except BaseException:
                failed.set()
                raise

    with futures.ThreadPoolExecutor(len(chains)) as pool:
        under_way = [pool.submit(run, chain) for chain in chains]
        try:
            futures.wait(under_way)
        except BaseException:
            failed.set()
            tools.commands.stop()
            raise
    causes = [cause for future in under_way if (cause := future.exception())]
    for cause in causes:
        if not isinstance(cause, errors.BootstrapError):
            raise cause
    if causes:
        raise errors.BootstrapError("\n".join(map(str, causes)))


def _run_step(tools: step.Tools, each: step.Step) -> None:
    finding = each.inspect()
    if finding.ready:
        each.say(finding.version, f"already there: {finding.text}")
        return
    try:
        with tools.reporter.time(each.name):
            each.provide()
    except errors.BootstrapError:
        each.say("", "failed, see below")
        raise
    except OSError as error:  # a full disk, a folder of somebody else's
        each.say("", "failed, see below")
        raise errors.BootstrapError(f"{each.name}: {error}") from error
    finding = each.inspect()
    if not finding.ready:
        raise errors.BootstrapError(f"{each.name} is still not ready after it was made: {finding.text}")
    each.say(finding.version, f"ready: {finding.text}")
