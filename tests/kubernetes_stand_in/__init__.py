"""A stand-in for ``pulumi-resource-kubernetes`` 4.34, for tests only, where the official plugin cannot be had.

It serves any kind that the API server serves to the real engine, custom resources too. Like the official one it
creates with a POST, so that it adopts nothing that exists, updates by server-side apply with a field manager of its
own, previews with dry runs, compares the live state with new inputs where old inputs had something, replaces what
cannot be changed, deletes in the foreground, and waits where the official one waits: for claims, volumes, quotas, jobs,
deployments, daemon sets and services.

Stricter than the official one: a property that the API server's schema does not know, a value of the wrong type, an
unknown configuration and an unknown annotation of ``pulumi.com`` fail at preview, as far as the cluster can be asked.
Left out: kinds whose waits are not written here (pods, stateful sets, ingresses, load balancers), patches of existing
objects, Helm, YAML and Kustomize, client-side apply, manifests rendered into a folder, names of the stack's autonaming
configuration, ``ignoreChanges`` of fields that others manage.
"""
