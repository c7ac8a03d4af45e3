"""The plugin ``pulumi-resource-aml-infra``, which serves the custom resources to the engine, and a few functions.

Read in this order: ``lifecycle`` (get, join or submit; the heart), ``inputs`` and ``diff`` (what a run is and when it
is another one), ``training_runs`` (what Pulumi asks, in plain data), ``server`` (gRPC). Then ``soft_deletion`` and
``soft_deletions``, the other resource, and ``functions`` with ``quota``.
"""
