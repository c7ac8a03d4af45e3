"""What a job's status may be, and what may come after what.

See https://learn.microsoft.com/rest/api/azureml/jobs/get#jobstatus and concept-train-machine-learning-model in the
service's documentation.
"""

from __future__ import annotations

NOT_STARTED = "NotStarted"
QUEUED = "Queued"
PREPARING = "Preparing"
PROVISIONING = "Provisioning"
STARTING = "Starting"
RUNNING = "Running"
FINALIZING = "Finalizing"
CANCEL_REQUESTED = "CancelRequested"
COMPLETED = "Completed"
FAILED = "Failed"
CANCELED = "Canceled"
NOT_RESPONDING = "NotResponding"
PAUSED = "Paused"

PHASES = (NOT_STARTED, QUEUED, PREPARING, PROVISIONING, STARTING, RUNNING, FINALIZING)
"""What a job goes through, one after the other."""

ENDED = (COMPLETED, FAILED, CANCELED, NOT_RESPONDING, PAUSED)
"""After these comes nothing."""

_ON_NODES = (PREPARING, PROVISIONING, STARTING, RUNNING)
_BEFORE = {
    QUEUED: (NOT_STARTED, *_ON_NODES),
    COMPLETED: (FINALIZING,),
    FAILED: PHASES[1:],
    CANCEL_REQUESTED: PHASES[:-1],
    CANCELED: (CANCEL_REQUESTED,),
    NOT_RESPONDING: (*_ON_NODES, FINALIZING, CANCEL_REQUESTED),
}
"""What a status may come after, where that is not the phase before; Queued comes again after nodes were taken away."""


def may_follow(after: str, before: str) -> bool:
    """Whether a job can get from one status to another."""
    if after in _BEFORE:
        return before in _BEFORE[after]
    return after in PHASES and before == PHASES[PHASES.index(after) - 1] and after != NOT_STARTED
