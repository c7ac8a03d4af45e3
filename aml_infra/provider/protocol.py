"""Pulumi's protocol without Pulumi's SDK.

The plugin needs the modules that are generated from the protocol, and nothing else of the package ``pulumi``, which
takes longer to load than all the rest of the plugin. They need nothing of it either, but Python runs a package before
it runs what is in it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterator

_PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


@contextlib.contextmanager
def without_sdk() -> Iterator[None]:
    """In the block, what is imported of ``pulumi.runtime.proto`` is loaded alone; afterwards, ``pulumi`` is as it was.

    Does nothing where ``pulumi`` is loaded already.
    """
    sdk = importlib.util.find_spec("pulumi") if "pulumi" not in sys.modules else None
    if sdk is None or not sdk.submodule_search_locations:
        yield
        return
    root = sdk.submodule_search_locations[0]
    for name in _PACKAGES:
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(root, *name.split(".")[1:])]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in _PACKAGES:
            del sys.modules[name]
