"""The command line: ``python3 -m tools.pull_request --stack STACK --outcome OUTCOME PREVIEW``."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from tools.pull_request import comment, services


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Comments on the pull request; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python3 -m tools.pull_request",
        description="Writes a stack's preview into the pull request that this pipeline runs for: one comment for each "
        "stack, which is replaced the next time.",
    )
    parser.add_argument("--stack", required=True, help="the stack that was previewed")
    parser.add_argument("--outcome", required=True, help="how the preview ended, as the service calls it: success, ...")
    parser.add_argument("preview", type=pathlib.Path, help="file with what the preview printed")
    options = parser.parse_args(arguments)
    try:
        service = services.find_service(environment)
        text = comment.build_comment(
            options.stack,
            options.preview.read_text(encoding="utf-8", errors="replace") if options.preview.exists() else "",
            succeeded=options.outcome.lower().startswith("succe"),
            run_url=service.run_url,
            limit=service.limit,
        )
        print(service.write(comment.build_marker(options.stack), text))
    except services.PullRequestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
