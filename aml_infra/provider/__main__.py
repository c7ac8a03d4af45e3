"""Entry point of the plugin; the engine starts it with its own address."""

from __future__ import annotations

import argparse


def main() -> None:
    """Parses the engine's arguments and serves."""
    parser = argparse.ArgumentParser(
        prog="pulumi-resource-aml-infra",
        description="Pulumi plugin that serves training runs. The Pulumi engine starts it; it is of no use by hand.",
    )
    parser.add_argument("engine", help="address of the Pulumi engine")
    # The engine adds logging flags of its own (-v=9, --logtostderr), which are not for us.
    arguments, _ = parser.parse_known_args()

    from aml_infra.provider import protocol

    with protocol.without_sdk():
        from aml_infra.provider import server

    server.serve(arguments.engine)


if __name__ == "__main__":
    main()
