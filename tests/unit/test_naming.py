from __future__ import annotations

import pytest

from aml_infra import naming


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("train", "train"),
        ("My Job_2", "my-job-2"),
        ("--x--", "x"),
        ("äö", "run"),
        ("", "run"),
    ],
)
def test_slug_keeps_letters_digits_and_single_hyphens(name: str, slug: str) -> None:
    """Whatever the name, the slug is one that every service takes."""
    assert naming.slugify(name) == slug


def test_long_names_stay_apart_and_within_the_limit() -> None:
    """Two names with the same beginning have different slugs of at most the limit."""
    first, second = naming.slugify("a" * 80 + "1"), naming.slugify("a" * 80 + "2")

    assert first != second
    assert len(first) <= naming.SLUG_LIMIT


def test_run_id_is_slug_and_fingerprint_prefix() -> None:
    """The id is the same wherever it is made."""
    assert naming.run_id("My Job", "0123456789abcdef") == "my-job-0123456789ab"


def test_first_attempt_has_the_bare_id() -> None:
    """Later attempts have a suffix, the first has none."""
    assert naming.attempt_name("job-1", 1) == "job-1"
    assert naming.attempt_name("job-1", 3) == "job-1-3"


def test_attempts_count_from_one() -> None:
    """An attempt of 0 is refused."""
    with pytest.raises(ValueError, match="counted from 1"):
        naming.attempt_name("job", 0)
