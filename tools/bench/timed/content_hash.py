"""Times azure-ai-ml's fingerprint of a folder, in an environment that has azure-ai-ml and nothing of ours."""

import importlib
import json
import sys
import time

# By name, as the package is not in the environment in which this file is checked.
assets = importlib.import_module("azure.ai.ml._utils._asset_utils")

_, folder = sys.argv
began = time.perf_counter()
digest = assets.get_content_hash(folder)
print(json.dumps({"seconds": time.perf_counter() - began, "digest": digest}))
