"""Commands of jobs: what stands for inputs and outputs in them.

See https://learn.microsoft.com/azure/machine-learning/concept-expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_EXPRESSION = re.compile(r"\$\{\{\s*(?P<path>[^}]*?)\s*\}\}")


def find_unknown(command: str, inputs: Mapping[str, object], outputs: Mapping[str, object]) -> list[str]:
    """The expressions in a command that stand for no input and no output of the job."""
    known = {f"inputs.{name}" for name in inputs} | {f"outputs.{name}" for name in outputs}
    return [found[0] for found in _EXPRESSION.finditer(command) if found["path"] not in known]


def expand(command: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """The command with the values or paths of its inputs and outputs; they are put in as they are, not quoted."""
    values = {f"inputs.{name}": value for name, value in inputs.items()}
    values |= {f"outputs.{name}": value for name, value in outputs.items()}
    return _EXPRESSION.sub(lambda found: values[found["path"]], command)
