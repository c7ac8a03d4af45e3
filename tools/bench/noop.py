"""`pulumi up` with nothing to do: what everybody waits for most often."""

from __future__ import annotations

from tools.bench import bed, figures, project, table

NAME = "noop"
SUMMARY = "`pulumi up` of stack `local` with nothing to do, against an empty Pulumi program"
MOST = 1.3


def measure(place: bed.Bed) -> list[table.Row]:
    """Trains stack `local` once, so that nothing is left to do, then measures."""
    ours = project.make_copy(place, "noop-ours")
    reference = project.make_empty_project(place, "noop-reference")
    place.say(NAME, "training stack `local` once; the first time its image is built, which takes minutes")
    ours.up()
    reference.up()
    # Once without counting, as the first of each compiles and reads files that are not in memory yet.
    ours.up_unchanged()
    reference.up_unchanged()
    found = figures.interleave(
        {"ours": ours.up_unchanged, "reference": reference.up_unchanged},
        place.rounds,
        lambda text: place.say(NAME, text),
    )
    place.containers.remove()
    return [
        table.build_ratio_row(
            "`pulumi up` of stack `local`, nothing to do / of an empty program",
            figures.find_median(found["ours"]),
            figures.find_median(found["reference"]),
            most=MOST,
        )
    ]
