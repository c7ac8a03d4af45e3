"""Kubernetes quantities, as the API server writes them: ``1024Mi`` is ``1Gi``, ``0.5`` is ``500m``.

Follows the serialization that ``k8s.io/apimachinery/pkg/api/resource`` documents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE]?)")
_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL: Mapping[str, Fraction] = {
    letter: Fraction(1000) ** power
    for power, letter in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
}
_SMALLEST = _DECIMAL["n"]


def canonicalize(text: str) -> str:
    """A quantity in its canonical form.

    Raises:
        ValueError: If it is none.
    """
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no quantity; quantities are like '2', '500m', '16Gi'")
    number, suffix = Fraction(found[1]), found[2]
    if suffix in _BINARY:
        value = number * _BINARY[suffix]
        if abs(value) >= 1024:
            return _write(Fraction(math.ceil(value)), {name: Fraction(size) for name, size in _BINARY.items()})
        return _write(value, _DECIMAL)
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        value = number * Fraction(10) ** int(suffix[1:])
        powers = {f"e{power}" if power else "": Fraction(10) ** power for power in range(-9, 19, 3)}
        return _write(value, powers)
    return _write(number * _DECIMAL[suffix], _DECIMAL)


def _write(value: Fraction, sizes: Mapping[str, Fraction]) -> str:
    """``value`` with the greatest suffix that needs no fraction; what is smaller than a nano is rounded up."""
    value = Fraction(math.ceil(value / _SMALLEST)) * _SMALLEST
    if value == 0:
        return "0"
    for suffix, size in sorted(sizes.items(), key=lambda each: each[1], reverse=True):
        if (value / size).denominator == 1:
            return f"{value / size}{suffix}"
    return str(value)
