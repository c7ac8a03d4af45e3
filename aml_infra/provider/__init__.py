"""The plugin ``pulumi-resource-aml-infra``, which serves the custom resource ``TrainingRun`` to the engine.

Read in this order: ``lifecycle`` (get, join or submit; the heart), ``inputs`` and ``diff`` (what a run is and when it
is another one), ``training_runs`` (what Pulumi asks, in plain data), ``server`` (gRPC).
"""
