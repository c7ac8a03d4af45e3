"""`pulumi preview` of a whole stack on Azure with nothing to do: what each pull request waits for.

Azure is the tests' own, on this machine, and azure-native is the tests' stand-in where the official plugin cannot be
had. So what is measured is the program, the engine and our plugin; the wire to Azure is not.
"""

from __future__ import annotations

import time

from tests.azure import server
from tests.integration import clones
from tools.bench import bed, figures, project, table

NAME = "azure-noop"
SUMMARY = "`pulumi preview` of stack `azure-dev` with nothing to do, against an empty Pulumi program"
MOST = 2.0


def measure(place: bed.Bed) -> list[table.Row]:
    """Makes stack `azure-dev` once, so that nothing is left to do, then measures."""
    folder = place.folder / "azure"
    folder.mkdir()
    plugins = clones.make_plugins(place.folder / "plugins")
    with server.open_azure(folder) as azure:
        clones.prepare(azure)
        ours = clones.make_public_clone(place.folder / "azure-ours", azure, plugins, "azure-dev")
        reference = project.make_empty_project(place, "azure-reference")
        place.say(NAME, "making stack `azure-dev` on the tests' Azure")
        ours.up()
        reference.up()

        def preview() -> float:
            start = time.monotonic()
            ours.pulumi("preview", "--expect-no-changes")
            return time.monotonic() - start

        # Once without counting, as the first of each compiles and reads files that are not in memory yet.
        preview()
        reference.preview()
        found = figures.interleave(
            {"ours": preview, "reference": reference.preview},
            place.rounds,
            lambda text: place.say(NAME, text),
        )
    return [
        table.build_ratio_row(
            "`pulumi preview` of stack `azure-dev`, nothing to do / of an empty program",
            figures.find_median(found["ours"]),
            figures.find_median(found["reference"]),
            most=MOST,
        )
    ]
