"""`python3 -m tools.bootstrap`."""

import sys

_OLDEST = (3, 10)

if sys.version_info[:2] < _OLDEST:
    sys.exit(f"error: python3 is {sys.version.split()[0]}, and 3.10 or newer is needed: put one on PATH")

from tools.bootstrap import cli  # noqa: E402 - an older Python fails here with a stranger message

sys.exit(cli.main(sys.argv[1:]))
