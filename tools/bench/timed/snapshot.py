"""Times our fingerprint of a folder."""

import json
import sys
import time

from aml_infra import source

_, folder, max_bytes = sys.argv
began = time.perf_counter()
digest = source.take_snapshot(folder, max_bytes=int(max_bytes)).digest
print(json.dumps({"seconds": time.perf_counter() - began, "digest": digest}))
