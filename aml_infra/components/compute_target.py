"""What a training job can run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pulumi

from aml_infra.components.validation import Machine
from aml_infra.errors import Problem
from aml_infra.spec import Demand


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
