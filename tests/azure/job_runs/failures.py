"""Why a job failed, in the service's words.

Sentences of the service are as public reports of its users quote them; where none is known, the docstring says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

USER_ERROR = "UserError"
SERVICE_ERROR = "ServiceError"
SYSTEM_ERROR = "SystemError"
_TAIL = 2000


class JobFailure(Exception):
    """A job ends as Failed.

    Attributes:
        code: whose fault it is.
        message: the service's sentence.
        component: which part of the service says so.
    """

    def __init__(self, message: str, *, code: str = USER_ERROR, component: str = "CommonRuntime") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.component = component

    def build_body(self, location: str, time: str) -> dict[str, Any]:
        """The ``error`` of a run in run history, an ErrorResponse."""
        error: dict[str, Any] = {
            "code": self.code,
            "severity": None,
            "message": self.message,
            "messageFormat": None,
            "messageParameters": {},
            "referenceCode": None,
            "detailsUri": None,
            "target": None,
            "details": [],
            "innerError": None,
            "additionalInfo": None,
        }
        return {
            "error": error,
            "correlation": None,
            "environment": location,
            "location": location,
            "time": time,
            "componentName": self.component,
        }


def fail_process(command: str, status: int, log: str, stderr: bytes) -> JobFailure:
    """A process of the user ended with another status than 0; the end of what it wrote to stderr is told."""
    said = stderr.decode("utf-8", "replace")[-_TAIL:].strip()
    return JobFailure(
        f"Execution failed. User process '{name_process(command)}' exited with status code {status}. Please check log "
        f"file '{log}' for error details." + (f" Error: {said}" if said else "")
    )


def name_process(command: str) -> str:
    """What the service calls the process of a command: its program, or the shell that a longer command needs.

    What it calls that of a longer command is not documented.
    """
    plain = re.fullmatch(r"\s*(?P<program>[^\s;&|<>()$`\"'\\=]+)(\s[^;&|<>()`\n]*)?", command)
    return plain["program"] if plain else "/bin/bash"


def fail_pull(image: str) -> JobFailure:
    """The image cannot be had: it is not there, or the compute may not pull it; the service does not say which."""
    return JobFailure(
        f"Failed to pull Docker image {image}. This error may occur because the compute could not authenticate with "
        "the Docker registry to pull the image. If using ACR please ensure the ACR has Admin user enabled or a Managed "
        "Identity with `AcrPull` access to the ACR is assigned to the compute. If the ACR Admin user's password was "
        "changed recently it may be necessary to synchronize the workspace keys."
    )


def fail_mount(uri: str, path: str) -> JobFailure:
    """Data cannot be had; the reason is in the system's logs alone."""
    return JobFailure(f"Failed to mount URI {uri} at mount point {path}", code=SERVICE_ERROR)


def fail_code(uri: str, reason: str) -> JobFailure:
    """The code cannot be had; the service's sentence is not documented."""
    return JobFailure(f"Failed to download the code of the job from {uri}: {reason}")


def fail_nodes(wanted: int, most: int) -> JobFailure:
    """The cluster never has so many nodes."""
    return JobFailure(
        f"Requested {wanted} nodes but AzureMLCompute cluster only has {most} maximum nodes.",
        component="globaljobdispatcher",
    )


def fail_quota(family: str, limit: int, nodes: int, cores: int) -> JobFailure:
    """The quota never allows so many nodes."""
    return JobFailure(
        "Job submission to AzureML Compute encountered an Exception with status code JobNodeCountExceedsCoreQuota, The "
        f"specified subscription has a {family} vCPU quota of {limit} and is less than the requested job node count of "
        f"{nodes} which maps to {cores} vCPUs. Talk to your Subscription Admin or refer to "
        "https://docs.microsoft.com/azure/machine-learning/how-to-manage-quotas#request-quota-increases to increase "
        f"the {family} vCPU quota",
        component="globaljobdispatcher",
    )


def fail_machine(reason: str) -> JobFailure:
    """Something of the service itself; its sentence is not documented."""
    return JobFailure(f"AzureMLCompute job failed. {reason}", code=SYSTEM_ERROR)


def build_warning(message: str) -> Mapping[str, str]:
    """A RunDetailsWarning."""
    return {"source": "CommonRuntime", "message": message}
