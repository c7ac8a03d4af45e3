from __future__ import annotations

import pytest

from aml_infra import quantities


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("1500m", 1.5), ("16Gi", 16 * 1024**3), ("1G", 1e9), ("128974848", 128974848), ("1e3", 1000)],
)
def test_quantities(text: str, number: float) -> None:
    """As the API writes them."""
    assert quantities.read_quantity(text) == number


def test_what_is_no_quantity_is_told() -> None:
    """With its text."""
    with pytest.raises(ValueError, match="'much' is no quantity"):
        quantities.read_quantity("much")
