"""`python -m tools.bench`, in the environment that the bootstrap prepares."""

import sys

from tools.bench import cli

sys.exit(cli.main(sys.argv[1:]))
