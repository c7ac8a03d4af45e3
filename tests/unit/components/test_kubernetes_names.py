from __future__ import annotations

import pytest

from aml_infra.components import kubernetes_names


@pytest.mark.parametrize("name", ["a", "1", "gpu-2", "a.b-c.d", "a" * 253])
def test_names_of_objects(name: str) -> None:
    """Domains, in lower case."""
    assert kubernetes_names.find_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "a.-b", "a/b", "a\n", "a" * 254])
def test_other_texts_are_no_names(name: str) -> None:
    """The message has the value, and what is allowed."""
    assert kubernetes_names.find_name_problem(name) == (
        f"is {name!r}; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a "
        "digit at each end"
    )


@pytest.mark.parametrize(("name", "is_good"), [("a-1", True), ("a" * 63, True), ("a.b", False), ("a" * 64, False)])
def test_namespaces_are_one_part_of_a_domain(name: str, is_good: bool) -> None:
    """Shorter, and without periods."""
    assert (kubernetes_names.find_label_problem(name) is None) is is_good


@pytest.mark.parametrize(
    ("key", "is_good"),
    [
        ("sku", True),
        ("Gpu_Type.x", True),
        ("nvidia.com/gpu.product", True),
        ("a" * 63, True),
        ("", False),
        ("/gpu", False),
        ("nvidia.com/", False),
        ("NVIDIA.com/gpu", False),
        ("a/b/c", False),
        ("-a", False),
        ("a" * 64, False),
    ],
)
def test_keys_of_labels(key: str, is_good: bool) -> None:
    """A name, with a domain before it or without."""
    found = kubernetes_names.find_key_problem(key)

    assert (found is None) is is_good
    assert found is None or found.startswith(f"is {key!r}, no key of a label; allowed are")


@pytest.mark.parametrize(("value", "is_good"), [("", True), ("A100.80-gb_x", True), ("a b", False), ("a" * 64, False)])
def test_values_of_labels(value: str, is_good: bool) -> None:
    """They may be empty."""
    assert (kubernetes_names.find_value_problem(value) is None) is is_good


@pytest.mark.parametrize(
    ("amount", "written"), [(1, "1"), (0.5, "500m"), (1.25, "1250m"), (0.0001, "1m"), (1_000_000, "1000000")]
)
def test_processors_are_written_in_thousandths(amount: float, written: str) -> None:
    """As Kubernetes counts them; whole ones as they are."""
    assert kubernetes_names.write_cpus(amount) == written


@pytest.mark.parametrize(("amount", "written"), [(1, "1Gi"), (0.5, "512Mi"), (1.25, "1280Mi"), (0.0001, "1Mi")])
def test_memory_is_written_in_powers_of_two(amount: float, written: str) -> None:
    """Ours is, too."""
    assert kubernetes_names.write_gb(amount) == written


@pytest.mark.parametrize("amount", [0, 3, float("nan"), float("inf"), -1])
def test_amounts_have_a_range(amount: float) -> None:
    """Outside of it, and where it is no number, it is told."""
    assert kubernetes_names.find_amount_problem(amount, 1, 2, "GB") == f"is {amount:g}; allowed is 1 to 2 GB"
