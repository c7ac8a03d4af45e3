"""A stand-in for ``pulumi-resource-azure-native`` 3.29, for tests only, where the official plugin cannot be had.

It serves the resource types of ``resource_types.py`` to the real engine, by calling Resource Manager over HTTPS. Like
the official one it adopts nothing that exists, always PUTs, follows long-running operations, keeps what failed after it
came into being, deletes before it replaces where names are given, and on refresh changes only the inputs whose outputs
moved. Where each property goes is read from the models of the official SDKs (``tests.azure.sdk_models``), and which
properties there are from the installed pulumi-azure-native.

Stricter than the official one: a property or enum value that pulumi-azure-native does not know, and an unknown
configuration, fail at preview. Left out: other resource types and functions, other clouds, client certificates, managed
identities, sub-resources kept on update, custom timeouts, the schema; its waits are shorter.
"""
