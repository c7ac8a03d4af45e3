"""What our plugin knows of this machine, asked through the engine, already at preview."""

from __future__ import annotations

import re
import weakref
from typing import Any

import pulumi
from pulumi.runtime import settings

from aml_infra.errors import BackendUnavailable
from aml_infra.spec import Capacity

GET_DOCKER_DAEMON = "aml-infra:index:getDockerDaemon"
GET_IMAGE = "aml-infra:index:getImage"

_FAILURE = re.compile(r"invoke of \S+ failed: (?P<reason>.*?)(?: \(\))?", re.DOTALL)
_LISTED_PROBLEM = re.compile(r"^  - (?:[\w.]+: )?", re.MULTILINE)

_DAEMONS: weakref.WeakKeyDictionary[Any, Capacity] = weakref.WeakKeyDictionary()
"""What each program was told, by its connection to the engine: one process may run several programs."""


def describe_docker_daemon() -> Capacity:
    """What the Docker daemon of ``DOCKER_HOST``, else of the current Docker context, has to give.

    It is asked once per program, as each component wants to know; one that did not answer is asked again.

    Raises:
        BackendUnavailable: it does not answer; the message says how to start it.
    """
    monitor = settings.get_monitor()
    if monitor not in _DAEMONS:
        found = _invoke(GET_DOCKER_DAEMON, {})
        _DAEMONS[monitor] = Capacity(cpus=found["cpus"], memory_gb=found["memoryGb"], gpus=bool(found["gpus"]))
    return _DAEMONS[monitor]


def identify_image(image: str) -> str:
    """The digest that the reference ``image`` has now, in the Docker daemon or else in its registry.

    Raises:
        BackendUnavailable: there is no such image, or neither of them answers.
    """
    return str(_invoke(GET_IMAGE, {"image": image, "backend": "docker"})["digest"])


async def has_image(image: str) -> bool:
    """Whether the Docker daemon, or else a registry, has ``image``."""
    try:
        await pulumi.runtime.invoke_async(GET_IMAGE, {"image": image, "backend": "docker"})
    except Exception as error:
        if type(error) is not Exception:
            raise
        return False
    return True


def _invoke(token: str, args: dict[str, Any]) -> dict[str, Any]:
    try:
        result = pulumi.runtime.invoke(token, args).value
    except Exception as error:
        # A failed invoke is a bare Exception, the SDK has nothing narrower; anything else is not ours to explain.
        if type(error) is not Exception:
            raise
        raise BackendUnavailable(read_failure(str(error))) from error
    return dict(result)


def read_failure(text: str) -> str:
    """The reason within the SDK's text about a failed invoke."""
    match = _FAILURE.fullmatch(text)
    reason = match.group("reason") if match else text
    listed = _LISTED_PROBLEM.split(reason)[1:]
    return "; ".join(part.strip() for part in listed) if listed else reason
