"""``LocalDocker``: the compute target that runs jobs as containers of this machine's Docker."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi

from aml_infra import arguments, rules
from aml_infra.components import file_places, image_access
from aml_infra.components.compute_target import ComputeArgs
from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.image_access import JobImage
    from aml_infra.components.training_image import TrainingImage


@dataclasses.dataclass(frozen=True, kw_only=True)
class LocalDockerArgs(ComputeArgs):
    """How jobs run on this machine's Docker.

    Attributes:
        data_folder: folder for the runs' outputs, logs and records, and for MLflow's store; a relative path is taken
            from the program's working folder. By default the user's data folder for applications, so that every
            clone and every stack on this machine finds the runs that were done already.
    """

    data_folder: str | os.PathLike[str] | None = None

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Docker must answer, and the data folder must be able to be one."""
        return arguments.find_problems(self, LocalDockerArgs._find_rule_problems) + machine.ask_daemon("")[1]

    def _find_rule_problems(self) -> list[Problem]:
        if self.data_folder is None:
            return []
        found = file_places.find_problem(pathlib.Path(os.path.abspath(self.data_folder)), "give a folder")
        return [] if found is None else [Problem("data_folder", found)]

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What Docker here does not have of what a job asks for."""
        daemon, problems = machine.ask_daemon("compute")
        problems += rules.find_service_problems(demand, "Docker")
        if daemon is None:
            return problems
        return problems + rules.find_capacity_problems(demand, daemon, "Docker")

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why Docker here cannot run a job's image."""
        return image_access.find_docker_problems(image)


class LocalDocker(pulumi.ComponentResource):
    """This machine's Docker as a compute target: no account, no registry.

    The daemon is the one of ``DOCKER_HOST``, else of the current Docker context.

    Raises:
        InvalidInput: Docker does not answer, or the arguments cannot be used.
    """

    backend = "docker"

    def __init__(
        self, name: str, args: LocalDockerArgs | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._args = args = LocalDockerArgs() if args is None else args
        arguments.require(name, args, LocalDockerArgs)
        arguments.raise_for(problem.under(name) for problem in args.find_problems(Machine()))
        super().__init__("aml-infra:index:LocalDocker", name, None, opts)
        self.register_outputs({})

    @property
    def backend_options(self) -> Mapping[str, pulumi.Input[str]]:
        """Where the backend keeps the runs, if the user has said so."""
        folder = self._args.data_folder
        return {} if folder is None else {"data_folder": os.path.abspath(folder)}

    @property
    def dependencies(self) -> Sequence[pulumi.Resource]:
        """Nothing: Docker is there."""
        return ()

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What Docker here does not have of what a job asks for."""
        return self._args.find_demand_problems(demand, machine)

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why Docker here cannot run a job's image."""
        return self._args.find_image_problems(image)

    def find_reference(self, image: TrainingImage | CuratedImage) -> pulumi.Output[str]:
        """The image's own reference."""
        return image.ref
