"""What runs a training, one module per kind of compute, loaded when it is first asked for.

A module is admitted here if it meets the contract of ``base`` and passes tests/contract; it never imports Pulumi nor
another backend.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from aml_infra.backends import base

MODULES = {
    "azureml": "aml_infra.backends.azureml",
    "docker": "aml_infra.backends.docker",
    "fake": "aml_infra.backends.fake",
    "kubernetes": "aml_infra.backends.kubernetes",
}
"""Backend name -> module with a function ``open_backend(options) -> Backend``."""


def open_backend(name: str, options: Mapping[str, str]) -> base.Backend:
    """The backend called ``name``, with its options.

    Raises:
        KeyError: there is no such backend; ``MODULES`` lists them.
        BackendUnavailable: its service does not answer.
        InvalidInput: an option is unknown.
    """
    module = importlib.import_module(MODULES[name])
    return cast("base.Backend", module.open_backend(options))
