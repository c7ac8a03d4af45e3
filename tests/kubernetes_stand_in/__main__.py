"""The plugin's process."""

from __future__ import annotations

from tests.kubernetes_stand_in import servicer
from tests.plugin_stand_ins import process


def main() -> None:
    """Serves until the engine ends it."""
    process.serve(servicer.StandIn)


if __name__ == "__main__":
    main()
