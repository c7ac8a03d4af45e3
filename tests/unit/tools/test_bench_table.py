from __future__ import annotations

import pytest

from tools.bench import errors, table


def test_a_ratio_within_its_goal_is_met() -> None:
    """Both figures, their ratio and the goal are in the row."""
    row = table.build_ratio_row("up", 1.2, 1.0, most=1.3)

    assert row.cells == ("up", "1.20 s", "1.00 s", "1.20", "ratio <= 1.3", "yes", "-")


def test_a_goal_that_is_missed_is_shown_as_missed() -> None:
    """It cannot be overlooked."""
    assert table.build_ratio_row("up", 1.4, 1.0, most=1.3).cells[5] == "**no**"


def test_a_row_without_a_goal_is_neither_met_nor_missed() -> None:
    """A figure may just be told."""
    assert table.build_ratio_row("up", 1.4, 1.0).cells[4:6] == ("-", "-")


@pytest.mark.parametrize(("ours", "met"), [(2.1, True), (2.3, False)])
def test_a_difference_is_told_and_judged(ours: float, met: bool) -> None:
    """The goal is about the difference, whatever the ratio is."""
    row = table.build_difference_row("start", ours, 0.2, most=2)

    assert row.met is met
    assert row.goal == f"difference <= 2 s (is {ours - 0.2:.2f} s)"


def test_columns_stand_one_below_the_other() -> None:
    """The table can be read as text, too."""
    rows = [table.Row(what="first", ours="1 s"), table.Row(what="second one", ours="20 s", met=True, day="2026-01-01")]

    text = table.format_table([row.cells for row in rows])

    assert text.splitlines() == [
        "| what       | ours | reference | ratio | goal | met | on         |",
        "|------------|------|-----------|-------|------|-----|------------|",
        "| first      | 1 s  | -         | -     | -    | -   | -          |",
        "| second one | 20 s | -         | -     | -    | yes | 2026-01-01 |",
    ]
    assert table.parse_table(f"before\n{text}\nafter") == [row.cells for row in rows]


def test_what_was_measured_anew_takes_the_place_of_what_was_known() -> None:
    """What is new is last, and nothing else changes."""
    first, second = (table.Row(what=what, ours="1 s", day="2026-01-01").cells for what in ("first", "second"))
    anew, third = (table.Row(what=what, ours="2 s", day="2026-01-02").cells for what in ("first", "third"))

    assert table.merge_rows([first, second], [third, anew]) == [anew, second, third]


def test_only_what_is_between_the_markers_is_replaced() -> None:
    """What people wrote on the page stays."""
    page = f"before\n{table.BEGIN}\nold\nlines\n{table.END}\nafter\n"

    replaced = table.replace_between_markers(page, "new")

    assert replaced == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter\n"
    assert table.replace_between_markers(replaced, "new") == replaced
    assert table.find_between_markers(replaced) == "new"


@pytest.mark.parametrize(
    "page",
    [
        "no markers",
        table.BEGIN,
        f"{table.END}\n{table.BEGIN}",
        f"{table.BEGIN}\n{table.END}\n{table.BEGIN}\n{table.END}",
    ],
)
def test_a_page_without_its_markers_is_left_alone(page: str) -> None:
    """It is an error, not a guess."""
    with pytest.raises(errors.BenchError, match="each of these lines once"):
        table.replace_between_markers(page, "new")
