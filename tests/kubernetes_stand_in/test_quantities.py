from __future__ import annotations

import pytest

from tests.kubernetes_stand_in import quantities


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("0Gi", "0"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("2000", "2k"),
        ("100", "100"),
        ("1024", "1024"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("0.5Ki", "512"),
        ("1e3", "1e3"),
        ("12e6", "12e6"),
        ("1E", "1E"),
        ("-2000m", "-2"),
        ("0.0000000001", "1n"),
        ("1.5Mi", "1536Ki"),
    ],
)
def test_quantities_have_one_form(text: str, canonical: str) -> None:
    """The one with the greatest unit that needs no fraction."""
    assert quantities.canonicalize(text) == canonical


@pytest.mark.parametrize("text", ["", "2 cores", "1GB", "Gi", "1e", "--1", "1K"])
def test_other_texts_are_no_quantities(text: str) -> None:
    """The text says what was given."""
    with pytest.raises(ValueError, match=f"{text!r} is no quantity"):
        quantities.canonicalize(text)
