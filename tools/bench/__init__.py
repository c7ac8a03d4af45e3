"""`make bench`: what docs/performance.md claims, measured in one run against something that others can run, too.

It runs in the prepared environment, with the real engine and the real Docker daemon. Everything that it makes is under
one temporary folder, or is a container with the run's token in its environment, and is gone when it ends.
"""
