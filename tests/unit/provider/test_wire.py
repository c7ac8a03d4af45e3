from __future__ import annotations

import pytest

from aml_infra.provider import wire
from aml_infra.provider.wire import UNKNOWN, Secret


def test_plain_data_comes_back_as_it_went() -> None:
    """Every kind of value survives both ways; integers become the numbers that they are."""
    values: dict[str, object] = {"a": 1, "b": 1.5, "c": True, "d": None, "e": "x", "f": [1, "y", {"g": []}], "h": {}}

    assert wire.decode(wire.encode(values)) == values


def test_unknown_and_secret_values_survive() -> None:
    """What is not known stays so, and a secret stays wrapped."""
    values = {"a": UNKNOWN, "b": {"c": Secret("x")}}

    assert wire.decode(wire.encode(values)) == values
    assert wire.has_unknown(values)
    assert wire.has_secret(values)
    assert wire.reveal(values) == {"a": UNKNOWN, "b": {"c": "x"}}


def test_what_is_no_plain_data_goes_back_as_it_came() -> None:
    """An asset is refused by Check, whose answer has it all the same."""
    asset = wire.encode({"a": {wire.SIGNATURE_KEY: "c44067f5952c0a294b673a41bacd8c17", "text": "x"}})

    values = wire.decode(asset)

    assert isinstance(values["a"], wire.Foreign)
    assert wire.encode(values) == asset


def test_a_secret_does_not_print() -> None:
    """Its value is in no message."""
    assert "x" not in repr(Secret("xyz")).replace("Secret", "")


def test_objects_are_refused() -> None:
    """What has no form on the wire is an error, not a text."""
    with pytest.raises(TypeError, match="object cannot be sent"):
        wire.encode({"a": object()})
