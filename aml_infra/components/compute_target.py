"""What a training job can run on."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pulumi

from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand

if TYPE_CHECKING:
    from aml_infra.components.environment import CuratedImage
    from aml_infra.components.image_access import JobImage
    from aml_infra.components.training_image import TrainingImage


class ComputeTarget(Protocol):
    """The contract between ``TrainingJob`` and what it runs on; every compute target is one."""

    @property
    def backend(self) -> str:
        """The backend that runs the job."""
        ...

    @property
    def backend_options(self) -> Mapping[str, pulumi.Input[str]]:
        """The backend's options, as its module documents them."""
        ...

    @property
    def dependencies(self) -> Sequence[pulumi.Resource]:
        """What must be there before a job can run, besides what the options wait for; it is deleted after the job."""
        ...

    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """What this target cannot give of what a job asks for, with the paths of ``TrainingJobArgs``."""
        ...

    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """Why this target cannot run a job's image, likewise."""
        ...

    def find_reference(self, image: TrainingImage | CuratedImage) -> pulumi.Output[str]:
        """What this target finds an image by: its reference, unless it has the image under a name of its own."""
        ...


class ComputeArgs(abc.ABC):
    """The arguments of a compute target, which may stand for it while a program is only validated."""

    @abc.abstractmethod
    def find_demand_problems(self, demand: Demand, machine: Machine) -> list[Problem]:
        """See ``ComputeTarget``."""

    @abc.abstractmethod
    def find_image_problems(self, image: JobImage) -> list[Problem]:
        """See ``ComputeTarget``."""
