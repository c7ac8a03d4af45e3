"""What ``TrainingImage`` needs of a container registry."""

from __future__ import annotations

from typing import Protocol

import pulumi

from aml_infra.components.registry_login import Login
from aml_infra.errors import Problem


class ContainerRegistry(Protocol):
    """The contract between ``TrainingImage`` and where it is pushed to; every registry is one."""

    @property
    def server(self) -> pulumi.Output[str]:
        """Host, with port and namespace where there are any; at update it is known when images can be pushed."""
        ...

    @property
    def username(self) -> pulumi.Output[str]:
        """The account that pushes."""
        ...

    @property
    def password(self) -> pulumi.Output[str]:
        """Its password or token, for resources that push; a secret."""
        ...

    @property
    def login(self) -> pulumi.Output[Login]:
        """The resolved credentials, for what pushes and pulls at once; a secret."""
        ...

    @property
    def waiting_seconds(self) -> float:
        """How long the registry may refuse an account after it was given the right to push."""
        ...

    @property
    def has_lasting_password(self) -> bool:
        """Whether the password is the same from one update to the next, so that a resource can have it as an input."""
        ...

    def find_problems(self) -> list[Problem]:
        """What is wrong with the values that are known already; the registry itself is not asked."""
        ...
