"""azure-ai-ml, with which our fingerprint is compared: in an environment of its own, as it brings 40 packages."""

from __future__ import annotations

import os
import pathlib
import sys

from tools.bench import bed, programs
from tools.bootstrap import cache, layout

VERSION = "1.35.2"


def find_python(place: bed.Bed) -> pathlib.Path:
    """The Python of an environment that has it; made in the project's cache the first time."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = layout.build_layout(bed.CHECKOUT, os.environ).cache / f"azure-ai-ml-{VERSION}-python-{version}"
    python = folder / "bin" / "python"
    if not cache.is_program(python):
        place.say("azure-ai-ml", f"installing {VERSION} from PyPI into the cache, 70 MB")
        with cache.make_folder(folder) as draft:
            place.programs.run(["uv", "venv", "--quiet", "--allow-existing", "--python", version, draft])
            install: programs.Argv = ["uv", "pip", "install", "--quiet", "--python", draft / "bin" / "python"]
            place.programs.run([*install, f"azure-ai-ml=={VERSION}"])
    return python
