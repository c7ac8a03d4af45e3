"""Bad settings: for each object of a stack's configuration and each setting in it, what cannot be used, and what is told.

One table, and so longer than other modules. For each class of ``sections`` it has the stack and the place (of
``good_settings``) where it is. A value is given to one setting there, and what is told is all that is told. ``{folder}``
stands for the project's folder.
"""

from __future__ import annotations

from typing import Any

INF, HUGE = float("inf"), 10**400

# fmt: off
ROWS: dict[str, tuple[str, tuple[str | int, ...], dict[str, list[tuple[Any, str | list[str]]]]]] = {
    "WorkspaceSection": ("azure", ("workspace",), {
        "config_file": [
            (5, "p:workspace.config_file: is 5; allowed is text"),
        ],
        "location": [
            (5, "p:workspace.location: is 5; allowed is text"),
            ("West Europe", "p:workspace.location: is 'West Europe', no name of a region; write it as in 'westeurope'"),
            ("", "p:workspace.location: is '', no name of a region; write it as in 'westeurope'"),
        ],
        "resource_group": [
            (5, "p:workspace.resource_group: is 5; allowed is text"),
        ],
        "workspace_name": [
            (5, "p:workspace.workspace_name: is 5; allowed is text"),
            ("../pets", "p:workspace.workspace_name: is '../pets', 7 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
        ],
        "friendly_name": [
            (5, "p:workspace.friendly_name: is 5; allowed is text"),
        ],
        "description": [
            (5, "p:workspace.description: is 5; allowed is text"),
        ],
        "public_network_access": [
            ("yes", "p:workspace.public_network_access: is 'yes'; allowed is true or false"),
        ],
        "high_business_impact": [
            ("yes", "p:workspace.high_business_impact: is 'yes'; allowed is true or false"),
        ],
        "managed_network": [
            (5, "p:workspace.managed_network: is 5; allowed is text"),
        ],
        "outbound_rules": [
            ("yes", "p:workspace.outbound_rules: is 'yes'; allowed is a map"),
        ],
        "private_endpoint_subnet_id": [
            (5, "p:workspace.private_endpoint_subnet_id: is 5; allowed is text"),
        ],
        "private_dns_zone_ids": [
            ("yes", "p:workspace.private_dns_zone_ids: is 'yes'; allowed is a list"),
        ],
        "purge_protection": [
            ("yes", "p:workspace.purge_protection: is 'yes'; allowed is true or false"),
        ],
        "soft_delete_days": [
            ("yes", "p:workspace.soft_delete_days: is 'yes'; allowed is a whole number"),
            (6, "p:workspace.soft_delete_days: is 6; allowed are whole numbers from 7 to 90"),
            (91, "p:workspace.soft_delete_days: is 91; allowed are whole numbers from 7 to 90"),
            (7.5, "p:workspace.soft_delete_days: is 7.5; allowed is a whole number"),
        ],
        "storage_redundancy": [
            (5, "p:workspace.storage_redundancy: is 5; allowed is text"),
        ],
        "log_retention_days": [
            ("yes", "p:workspace.log_retention_days: is 'yes'; allowed is a whole number"),
        ],
        "contributors": [
            ("yes", "p:workspace.contributors: is 'yes'; allowed is a map"),
        ],
        "config_path": [
            (5, "p:workspace.config_path: is 5; allowed is text"),
        ],
        "tags": [
            ("yes", "p:workspace.tags: is 'yes'; allowed is a map"),
            ({"a<b": "x"}, "p:workspace.tags['a<b']: is no name for a tag; allowed are up to 128 characters without < > % & \\ ? /"),
        ],
    }),
    "PrincipalSection": ("azure", ("workspace", "contributors", "me"), {
        "object_id": [
            (5, "p:workspace.contributors.me.object_id: is 5; allowed is text"),
            ("me", "p:workspace.contributors['me'].object_id: is 'me', no object id of Entra ID; `az ad signed-in-user show --query id` or `az ad sp show --id <application id> --query id` shows it"),
        ],
        "type": [
            ("yes", "p:workspace.contributors.me.type: is 'yes'; should be 'User', 'Group' or 'ServicePrincipal'"),
        ],
    }),
    "OutboundRuleSection": ("azure", ("workspace", "outbound_rules", "pypi"), {
        "fqdn": [
            (5, "p:workspace.outbound_rules.pypi.fqdn: is 5; allowed is text"),
            ("https://pypi.org", "p:workspace.outbound_rules['pypi'].fqdn: is 'https://pypi.org'; give a host, as in 'pypi.org' or '*.anaconda.org'"),
        ],
        "resource_id": [
            (5, "p:workspace.outbound_rules.pypi.resource_id: is 5; allowed is text"),
        ],
        "subresource": [
            (5, "p:workspace.outbound_rules.pypi.subresource: is 5; allowed is text"),
        ],
        "service_tag": [
            (5, "p:workspace.outbound_rules.pypi.service_tag: is 5; allowed is text"),
        ],
        "port_ranges": [
            (5, "p:workspace.outbound_rules.pypi.port_ranges: is 5; allowed is text"),
        ],
        "protocol": [
            (5, "p:workspace.outbound_rules.pypi.protocol: is 5; allowed is text"),
        ],
    }),
    "RegistrySection": ("azure", ("registry",), {
        "sku": [
            (5, "p:registry.sku: is 5; allowed is text"),
            ("Free", "p:registry.sku: is 'Free'; allowed are Basic, Standard, Premium"),
        ],
        "public_network_access": [
            ("yes", "p:registry.public_network_access: is 'yes'; allowed is true or false"),
        ],
        "zone_redundancy": [
            ("yes", "p:registry.zone_redundancy: is 'yes'; allowed is true or false"),
        ],
        "private_endpoint_subnet_id": [
            (5, "p:registry.private_endpoint_subnet_id: is 5; allowed is text"),
        ],
        "private_dns_zone_ids": [
            ("yes", "p:registry.private_dns_zone_ids: is 'yes'; allowed is a list"),
        ],
        "pushers": [
            ("yes", "p:registry.pushers: is 'yes'; allowed is a map"),
        ],
        "tags": [
            ("yes", "p:registry.tags: is 'yes'; allowed is a map"),
        ],
    }),
    "ClusterSection": ("azure", ("cluster",), {
        "vm_size": [
            (5, "p:cluster.vm_size: is 5; allowed is text"),
            ("NC6", "p:cluster.vm_size: is 'NC6', no name of a size; write it with STANDARD_, as in 'STANDARD_NC6'"),
        ],
        "min_nodes": [
            ("yes", "p:cluster.min_nodes: is 'yes'; allowed is a whole number"),
        ],
        "max_nodes": [
            ("yes", "p:cluster.max_nodes: is 'yes'; allowed is a whole number"),
            (0, ["p:cluster.max_nodes: is 0; allowed are whole numbers from 1 on", "p:train.distribution.workers: is 1; the cluster has at most 0 nodes, one for each worker; raise its max_nodes"]),
            (1.5, "p:cluster.max_nodes: is 1.5; allowed is a whole number"),
        ],
        "idle_seconds": [
            ("yes", "p:cluster.idle_seconds: is 'yes'; allowed is a whole number"),
        ],
        "low_priority": [
            ("yes", "p:cluster.low_priority: is 'yes'; allowed is true or false"),
        ],
        "subnet_id": [
            (5, "p:cluster.subnet_id: is 5; allowed is text"),
        ],
        "node_public_ip": [
            ("yes", "p:cluster.node_public_ip: is 'yes'; allowed is true or false"),
        ],
        "adopt": [
            (5, "p:cluster.adopt: is 5; allowed is text"),
        ],
        "tags": [
            ("yes", "p:cluster.tags: is 'yes'; allowed is a map"),
        ],
    }),
    "KubernetesSection": ("kubernetes", ("kubernetes",), {
        "kubeconfig": [
            (5, "p:kubernetes.kubeconfig: is 5; allowed is text"),
            ("/nowhere", "p:kubernetes.kubeconfig: '/nowhere' does not exist; give the path of a kubeconfig, or leave it out for kubectl's own, '/nowhere/config'"),
        ],
        "context": [
            (5, "p:kubernetes.context: is 5; allowed is text"),
        ],
        "namespace": [
            (5, "p:kubernetes.namespace: is 5; allowed is text"),
            ("Team", "p:kubernetes.namespace: is 'Team'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("kube-system", "p:kubernetes.namespace: is 'kube-system', which each cluster has already; give another name, or create_namespace=False to use it as it is"),
        ],
        "create_namespace": [
            ("yes", "p:kubernetes.create_namespace: is 'yes'; allowed is true or false"),
        ],
        "gpu_quota": [
            ("yes", "p:kubernetes.gpu_quota: is 'yes'; allowed is a whole number"),
        ],
        "cpu_quota": [
            ("yes", "p:kubernetes.cpu_quota: is 'yes'; allowed is a number"),
        ],
        "memory_quota_gb": [
            ("yes", "p:kubernetes.memory_quota_gb: is 'yes'; allowed is a number"),
        ],
        "default_cpus": [
            ("yes", "p:kubernetes.default_cpus: is 'yes'; allowed is a number"),
        ],
        "default_memory_gb": [
            ("yes", "p:kubernetes.default_memory_gb: is 'yes'; allowed is a number"),
        ],
        "outputs_claim": [
            (5, "p:kubernetes.outputs_claim: is 5; allowed is text"),
        ],
        "storage_class": [
            (5, "p:kubernetes.storage_class: is 5; allowed is text"),
        ],
        "storage_gb": [
            ("yes", "p:kubernetes.storage_gb: is 'yes'; allowed is a number"),
            (0, "p:kubernetes.storage_gb: is 0; allowed is 0.001 to 1e+06 GB"),
        ],
        "shared_storage": [
            ("yes", "p:kubernetes.shared_storage: is 'yes'; allowed is true or false"),
        ],
        "queue": [
            (5, "p:kubernetes.queue: is 5; allowed is text"),
        ],
        "node_selector": [
            ("yes", "p:kubernetes.node_selector: is 'yes'; allowed is a map"),
            ({"a b": "x"}, "p:kubernetes.node_selector['a b']: is 'a b', no key of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end; before it a domain and '/'"),
        ],
        "tolerations": [
            ("yes", "p:kubernetes.tolerations: is 'yes'; allowed is a list"),
        ],
        "autoscaling": [
            ("yes", "p:kubernetes.autoscaling: is 'yes'; allowed is true or false"),
        ],
        "priority_class": [
            (5, "p:kubernetes.priority_class: is 5; allowed is text"),
        ],
        "shared_memory_gb": [
            ("yes", "p:kubernetes.shared_memory_gb: is 'yes'; allowed is a number"),
        ],
        "egress_cidrs": [
            ("yes", "p:kubernetes.egress_cidrs: is 'yes'; allowed is a list"),
            (["x"], "p:kubernetes.egress_cidrs[0]: is 'x', no range of addresses ('x' does not appear to be an IPv4 or IPv6 network); give one as in '10.0.0.0/8'"),
        ],
        "device_plugin": [
            ("yes", "p:kubernetes.device_plugin: is 'yes'; allowed is true or false"),
        ],
        "pending_minutes": [
            ("yes", "p:kubernetes.pending_minutes: is 'yes'; allowed is a number"),
        ],
        "runtime": [
            (5, "p:kubernetes.runtime: is 5; allowed is text"),
        ],
    }),
    "TolerationSection": ("kubernetes", ("kubernetes", "tolerations", 0), {
        "key": [
            (5, "p:kubernetes.tolerations[0].key: is 5; allowed is text"),
        ],
        "operator": [
            (5, "p:kubernetes.tolerations[0].operator: is 5; allowed is text"),
        ],
        "value": [
            (5, "p:kubernetes.tolerations[0].value: is 5; allowed is text"),
        ],
        "effect": [
            (5, "p:kubernetes.tolerations[0].effect: is 5; allowed is text"),
            ("NoRun", "p:kubernetes.tolerations[0].effect: is 'NoRun'; allowed are NoSchedule, PreferNoSchedule, NoExecute"),
        ],
        "seconds": [
            ("yes", "p:kubernetes.tolerations[0].seconds: is 'yes'; allowed is a whole number"),
        ],
    }),
    "ExternalRegistrySection": ("kubernetes", ("image", "registry"), {
        "server": [
            (5, "p:image.registry.server: allowed is text"),
            ("https://ghcr.io", "p:image.registry.server: is 'https://ghcr.io', no registry's name; give its host, with port and namespace where there are any, as in 'ghcr.io/team'"),
        ],
        "username": [
            (5, "p:image.registry.username: allowed is text"),
        ],
        "password": [
            (5, "p:image.registry.password: allowed is text"),
            ("", "p:image.registry.password: is empty; give the account that may push and pull"),
        ],
    }),
    "ImageSection": ("local", ("image",), {
        "base_image": [
            (5, "p:image.base_image: is 5; allowed is text"),
        ],
        "conda_file": [
            (5, "p:image.conda_file: is 5; allowed is text"),
        ],
        "pip_requirements": [
            (5, "p:image.pip_requirements: is 5; allowed is text"),
        ],
        "dockerfile": [
            (5, "p:image.dockerfile: is 5; allowed is text"),
            ("nowhere", "p:image.dockerfile: '{folder}/nowhere' does not exist; give the path of a Dockerfile, or its text"),
            ("RUN x\n", "p:image.dockerfile: has no FROM line; start it with the base image, as in `FROM debian:bookworm-slim`"),
        ],
        "context": [
            (5, "p:image.context: is 5; allowed is text"),
        ],
        "build_args": [
            ("yes", "p:image.build_args: allowed is a map"),
            ({"A B": "x"}, "p:image.build_args['A B']: is not a name for ARG; allowed are letters, digits and _, no digit first"),
        ],
        "build_secrets": [
            ("yes", "p:image.build_secrets: allowed is a map"),
            ({"../a": "x"}, "p:image.build_secrets['../a']: is not an id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
        ],
        "host_ca_secret": [
            (5, "p:image.host_ca_secret: is 5; allowed is text"),
        ],
        "platform": [
            (5, "p:image.platform: is 5; allowed is text"),
            ("linux", "p:image.platform: is 'linux'; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own"),
        ],
        "user_managed_dependencies": [
            ("yes", "p:image.user_managed_dependencies: is 'yes'; allowed is true or false"),
        ],
        "cache_from": [
            ("yes", "p:image.cache_from: is 'yes'; allowed is a list"),
            (["registry"], "p:image.cache_from[0]: is 'registry'; allowed are type=registry,ref=..., type=local,src=..."),
        ],
        "cache_to": [
            ("yes", "p:image.cache_to: is 'yes'; allowed is a list"),
        ],
        "registry": [
            (5, "p:image.registry: allowed is a map"),
        ],
        "image_identity": [
            ("yes", "p:image.image_identity: is 'yes'; should be 'build_key' or 'digest'"),
            ("tag", "p:image.image_identity: is 'tag'; should be 'build_key' or 'digest'"),
        ],
    }),
    "ComputeSection": ("local", ("compute",), {
        "data_folder": [
            (5, "p:compute.data_folder: is 5; allowed is text"),
            ("/dev/null/x", "p:compute.data_folder: is '/dev/null/x', but '/dev/null' is a file; give a folder"),
        ],
    }),
    "TrainSection": ("local", ("train",), {
        "source": [
            (5, "p:train.source: is 5; allowed is text"),
            ("", "p:train.source: is empty; give the folder that holds the training code"),
            ("nowhere", "p:train.source: '{folder}/nowhere' does not exist, or cannot be reached; give the folder that holds the training code"),
            ("a\x00b", "p:train.source: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "command": [
            ("python train.py", "p:train.command: is 'python train.py'; allowed is a list"),
            ([], "p:train.command: is empty; give the program and its arguments, as in ['python', 'train.py']"),
            (["a", 5], "p:train.command[1]: is 5; allowed is text"),
            (["a", None], "p:train.command[1]: is None; allowed is text"),
            (["a\x00"], "p:train.command[0]: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "parameters": [
            ("yes", "p:train.parameters: is 'yes'; allowed is a map"),
            ({"lr": [1]}, "p:train.parameters.lr: is [1]; allowed are text, numbers, true and false"),
            ({"lr": None}, "p:train.parameters.lr: is None; allowed are text, numbers, true and false"),
            ({"l r": 1}, "p:train.parameters['l r']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first"),
            ({"lr": HUGE}, "p:train.parameters['lr']: is a number of 1329 bits; allowed is a number that is not so large"),
        ],
        "inputs": [
            ("yes", "p:train.inputs: is 'yes'; allowed is a map"),
            ({"data": 5}, "p:train.inputs.data: is 5; give a path or a URI, or a map of path, version, type and mode"),
            ({"data": ""}, "p:train.inputs['data']: is empty; give the path of a folder or a file, or a URI with its version"),
            ({"a-b": "code"}, "p:train.inputs['a-b']: is not a name for an input; allowed are letters, digits and _, not starting with a digit"),
        ],
        "outputs": [
            ("yes", "p:train.outputs: is 'yes'; allowed is a map"),
        ],
        "environment_variables": [
            ("yes", "p:train.environment_variables: allowed is a map"),
            ({"A B": "x"}, "p:train.environment_variables['A B']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"A": 1}, "p:train.environment_variables.A: allowed is text"),
            ({"A": "a\x00b"}, "p:train.environment_variables['A']: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "secret_environment_variables": [
            ("yes", "p:train.secret_environment_variables: allowed is a map"),
            ({"A B": "x"}, "p:train.secret_environment_variables['A B']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"A": 1}, "p:train.secret_environment_variables.A: allowed is text"),
        ],
        "distribution": [
            (5, "p:train.distribution: is 5; allowed is a map"),
        ],
        "triggers": [
            ("yes", "p:train.triggers: is 'yes'; allowed is a map"),
        ],
        "cpus": [
            ("4", "p:train.cpus: is '4'; allowed is a number"),
            (True, "p:train.cpus: is True; allowed is a number"),
            (0, "p:train.cpus: is 0; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (-1, "p:train.cpus: is -1; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (INF, "p:train.cpus: is inf; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
        ],
        "memory_gb": [
            ("yes", "p:train.memory_gb: is 'yes'; allowed is a number"),
        ],
        "gpus": [
            ("1", "p:train.gpus: is '1'; allowed is a whole number"),
            (1.5, "p:train.gpus: is 1.5; allowed is a whole number"),
            (True, "p:train.gpus: is True; allowed is a whole number"),
            (-1, "p:train.gpus: is -1; allowed are whole numbers from 0 to 64"),
            (65, "p:train.gpus: is 65; allowed are whole numbers from 0 to 64"),
        ],
        "timeout_minutes": [
            ("yes", "p:train.timeout_minutes: is 'yes'; allowed is a number"),
            (0, "p:train.timeout_minutes: is 0; allowed is 0.01 to 43200 minutes, or leave it out for no limit"),
        ],
        "experiment": [
            (5, "p:train.experiment: is 5; allowed is text"),
        ],
        "display_name": [
            (5, "p:train.display_name: is 5; allowed is text"),
        ],
        "tags": [
            ("yes", "p:train.tags: is 'yes'; allowed is a map"),
        ],
        "identity": [
            (5, "p:train.identity: is 5; allowed is text"),
        ],
        "allow_secrets": [
            ("yes", "p:train.allow_secrets: is 'yes'; allowed is a list"),
        ],
        "require_metrics": [
            ("yes", "p:train.require_metrics: is 'yes'; allowed is a list"),
            (["accuracy"], "p:train.require_metrics[0]: is 'accuracy'; write a metric, one of >= <= > <, and a number, as in 'accuracy >= 0.9'"),
        ],
        "retries": [
            ("yes", "p:train.retries: is 'yes'; allowed is a whole number"),
            (101, "p:train.retries: is 101; allowed are whole numbers from 0 to 100"),
            (HUGE, "p:train.retries: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "retry_on": [
            ("yes", "p:train.retry_on: is 'yes'; allowed is a list"),
            (["oom"], "p:train.retry_on[0]: is 'oom'; allowed are NotResponding, Failed, TimedOut"),
        ],
        "wait": [
            ("yes", "p:train.wait: is 'yes'; allowed is true or false"),
        ],
        "on_interrupt": [
            ("yes", "p:train.on_interrupt: is 'yes'; should be 'detach' or 'cancel'"),
        ],
        "on_destroy": [
            ("yes", "p:train.on_destroy: is 'yes'; should be 'cancel' or 'retain'"),
            ("keep", "p:train.on_destroy: is 'keep'; should be 'cancel' or 'retain'"),
        ],
    }),
    "InputSection": ("local", ("train", "inputs", "data"), {
        "path": [
            (5, "p:train.inputs.data.path: is 5; allowed is text"),
            ("", "p:train.inputs['data']: is empty; give the path of a folder or a file, or a URI with its version"),
            ("nowhere", "p:train.inputs['data']: '{folder}/nowhere' does not exist; give a folder or a file, or a URI"),
            ("s3://pets", "p:train.inputs['data']: is the URI 's3://pets' without a version, so that nobody could say whether the data has changed; give DataInput(path, version=...), such as a date or an ETag"),
        ],
        "version": [
            (5, "p:train.inputs.data.version: is 5; allowed is text"),
        ],
        "type": [
            ("yes", "p:train.inputs.data.type: is 'yes'; should be 'folder' or 'file'"),
        ],
        "mode": [
            ("yes", "p:train.inputs.data.mode: is 'yes'; should be 'mount' or 'download'"),
            ("copy", "p:train.inputs.data.mode: is 'copy'; should be 'mount' or 'download'"),
        ],
    }),
    "OutputSection": ("local", ("train", "outputs", "model"), {
        "path": [
            (5, "p:train.outputs.model.path: is 5; allowed is text"),
            ("/etc", "p:train.outputs['model'].path: is '/etc', which no run can write to; give the URI of a datastore's folder, as in 'azureml://datastores/workspaceblobstore/paths/models', or leave it out to have it beside the run's other outputs"),
        ],
        "mode": [
            ("yes", "p:train.outputs.model.mode: is 'yes'; should be 'mount' or 'upload'"),
        ],
    }),
    "DistributionSection": ("local", ("train", "distribution"), {
        "workers": [
            ("yes", "p:train.distribution.workers: is 'yes'; allowed is a whole number"),
            (0, "p:train.distribution.workers: is 0; allowed are whole numbers from 1 to 1024"),
            (1.5, "p:train.distribution.workers: is 1.5; allowed is a whole number"),
            (True, "p:train.distribution.workers: is True; allowed is a whole number"),
        ],
        "framework": [
            ("yes", "p:train.distribution.framework: is 'yes'; should be 'pytorch', 'tensorflow' or 'mpi'"),
        ],
        "processes_per_worker": [
            ("yes", "p:train.distribution.processes_per_worker: is 'yes'; allowed is a whole number"),
        ],
    }),
}
