from __future__ import annotations

import subprocess
import sys

import pytest

SERVER = """
import sys
from aml_infra.provider import protocol
with protocol.without_sdk():
    from aml_infra.provider import server
"""


def run(program: str) -> str:
    """What ``program`` prints, run by a Python of its own."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_the_plugin_loads_nothing_of_the_sdk_but_the_protocol() -> None:
    """The rest takes longer to load than all of the plugin."""
    loaded = run(SERVER + "print(*(name for name in sys.modules if name.split('.')[0] == 'pulumi'))").split()

    assert loaded
    assert all(name.startswith("pulumi.runtime.proto.") for name in loaded)


def test_the_sdk_can_be_loaded_afterwards() -> None:
    """Nothing of the stand-ins is left, and there is only one of each message."""
    program = """
import pulumi, pulumi.runtime
from pulumi.runtime.proto import provider_pb2
print(pulumi.Output.__name__, provider_pb2 is server.provider_pb2)
"""

    assert run(SERVER + program).split() == ["Output", "True"]


@pytest.mark.parametrize("body", ["pass", "raise ValueError"])
def test_an_sdk_that_is_loaded_stays_as_it_is(body: str) -> None:
    """Also where the block fails."""
    program = f"""
import contextlib, sys
import pulumi
from aml_infra.provider import protocol
with contextlib.suppress(ValueError), protocol.without_sdk():
    {body}
print(sys.modules["pulumi"] is pulumi)
"""

    assert run(program).split() == ["True"]


def test_stand_ins_are_gone_after_an_error() -> None:
    """What is wrong is told as it would be without them."""
    program = """
import contextlib, sys
from aml_infra.provider import protocol
with contextlib.suppress(ValueError), protocol.without_sdk():
    raise ValueError
print("pulumi" in sys.modules)
"""

    assert run(program).split() == ["False"]
