"""Bad arguments: for each public class and field, values that cannot be used, and what a user is told of each.

One table, and so longer than other modules. A value is given to one field of arguments that are good otherwise
(``good_arguments``), and what is told is all that is told. ``{folder}`` stands for the test's folder, ``{here}`` for the
working folder, and ``…`` for a name that is too long.
"""

from __future__ import annotations

from typing import Any

import aml_infra
from aml_infra.components.external_registry import Account

NAN, INF, HUGE = float("nan"), float("inf"), 10**400
LONG = "x" * 5000
SUBNET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"

# fmt: off
ROWS: dict[Any, dict[str, list[tuple[Any, str | list[str]]]]] = {
    aml_infra.TrainingJobArgs: {
        "source": [
            (5, "source: is 5, an int; allowed is text or a path, as in '5'"),
            (b"code", "source: is b'code', a bytes; allowed is text or a path"),
            (None, "source: is None; allowed is text or a path"),
            ("", "source: is empty; give the folder that holds the training code"),
            (" ", "source: is empty; give the folder that holds the training code"),
            ("/nowhere", "source: '/nowhere' does not exist, or cannot be reached; give the folder that holds the training code"),
            ("a\x00b", "source: holds a NUL character, which nothing here can be given; remove it"),
            ("/nowhere/../../etc/\n", "source: '/etc/\\n' does not exist, or cannot be reached; give the folder that holds the training code"),
            ("caf\udce9", "source: holds half of a character, which no UTF-8 can be; remove it"),
            ("$(touch x)", "source: '{here}/$(touch x)' does not exist, or cannot be reached; give the folder that holds the training code"),
        ],
        "command": [
            ("python train.py", "command: is 'python train.py', a str; allowed is a list of texts, as in ['python', 'train.py']"),
            (None, "command: is None; allowed is a list of texts"),
            (5, "command: is 5, an int; allowed is a list of texts"),
            ([], "command: is empty; give the program and its arguments, as in ['python', 'train.py']"),
            ([""], "command[0]: is blank; the first word must be the program to run, as in 'python'"),
            (["python", 5], "command[1]: is 5, an int; allowed is text, as in '5'"),
            (["python", None], "command[1]: is None; allowed is text"),
            (["python", "a\x00b"], "command[1]: holds a NUL character, which nothing here can be given; remove it"),
            (["python", "${{inputs.pets}}"], "command[1]: is '${{inputs.pets}}', and inputs has no 'pets'; there are none"),
            ({"python": "train.py"}, "command: is {'python': 'train.py'}, a dict; allowed is a list of texts"),
            (["python", b"train.py"], "command[1]: is b'train.py', a bytes; allowed is text"),
            (["python", "caf\udce9"], "command[1]: holds half of a character, which no UTF-8 can be; remove it"),
        ],
        "image": [
            (5, "image: is 5, an int; allowed is a TrainingImage, a CuratedImage, a TrainingImageArgs or text, as in '5'"),
            (None, "image: is None; allowed is a TrainingImage, a CuratedImage, a TrainingImageArgs or text"),
            ("", "image: is empty; give a TrainingImage, or the reference of an image"),
            (b"x:1", "image: is b'x:1', a bytes; allowed is a TrainingImage, a CuratedImage, a TrainingImageArgs or text"),
            ("a\x00b", "image: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "compute": [
            (5, "compute: is 5, an int; allowed is a ComputeTarget or a ComputeArgs"),
            (None, "compute: is None; allowed is a ComputeTarget or a ComputeArgs"),
            ("docker", "compute: is 'docker', a str; allowed is a ComputeTarget or a ComputeArgs"),
            (aml_infra.LocalDocker, "compute: is the class LocalDocker; allowed is a ComputeTarget or a ComputeArgs"),
        ],
        "parameters": [
            ([1], "parameters: is [1], a list; allowed is a map of texts, numbers or truth values"),
            ("lr=0.1", "parameters: is 'lr=0.1', a str; allowed is a map of texts, numbers or truth values"),
            ({"lr": [1]}, "parameters['lr']: is [1], a list; allowed is text, a number, True or False"),
            ({"lr": None}, "parameters['lr']: is None; allowed is text, a number, True or False"),
            ({"lr": NAN}, "parameters['lr']: is nan, which JSON has no way to say; give it as text: 'nan'"),
            ({"lr": 2**53 + 1}, "parameters['lr']: is 9007199254740993, which Pulumi would round; give it as text: '9007199254740993'"),
            ({"lr": HUGE}, "parameters['lr']: is a number of 1329 bits; allowed is a number that is not so large"),
            ({5: 1}, "parameters: has 5, an int, as a name; allowed is text, as in '5'"),
            ({"--lr": 1}, "parameters['--lr']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first"),
            ({"l r": 1}, "parameters['l r']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first"),
            ({"a;rm -rf /": 1}, "parameters['a;rm -rf /']: is not a name for a parameter; allowed are letters, digits, _, - and ., a letter first"),
            ({"lr": "a\x00b"}, "parameters['lr']: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "inputs": [
            ("data", "inputs: is 'data', a str; allowed is a map of DataInput, texts or paths"),
            (["data"], "inputs: is ['data'], a list; allowed is a map of DataInput, texts or paths"),
            ({"data": 5}, "inputs['data']: is 5, an int; allowed is a DataInput, text or a path, as in '5'"),
            ({"data": ""}, "inputs['data']: is empty; give the path of a folder or a file, or a URI with its version"),
            ({"a-b": "/etc"}, "inputs['a-b']: is not a name for an input; allowed are letters, digits and _, not starting with a digit"),
            ({"$(touch x)": "/etc"}, "inputs['$(touch x)']: is not a name for an input; allowed are letters, digits and _, not starting with a digit"),
            ({"../a": "/etc"}, "inputs['../a']: is not a name for an input; allowed are letters, digits and _, not starting with a digit"),
            ({"data": "/nowhere"}, "inputs['data']: '/nowhere' does not exist; give a folder or a file, or a URI"),
            ({"data": "s3://pets"}, "inputs['data']: is the URI 's3://pets' without a version, so that nobody could say whether the data has changed; give DataInput(path, version=...), such as a date or an ETag"),
            ({1: "/etc"}, "inputs: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
        "outputs": [
            ("model", "outputs: is 'model', a str; allowed is a map of DataOutput"),
            ({"model": "models"}, "outputs['model']: is 'models', a str; allowed is a DataOutput"),
            ({"model": None}, "outputs['model']: is None; allowed is a DataOutput"),
            ({"../../etc": aml_infra.DataOutput()}, "outputs['../../etc']: is not a name for an output; allowed are letters, digits and _, not starting with a digit"),
        ],
        "environment_variables": [
            ("A=1", "environment_variables: is a str; allowed is a map of texts"),
            ({"A": 1}, "environment_variables['A']: is an int; allowed is text"),
            ({"A": None}, "environment_variables['A']: is None; allowed is text"),
            ({1: "x"}, "environment_variables: has 1, an int, as a name; allowed is text, as in '1'"),
            ({"A=B": "x"}, "environment_variables['A=B']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"": "x"}, "environment_variables['']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"A B": "x"}, "environment_variables['A B']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"LD_PRELOAD\n": "x"}, "environment_variables['LD_PRELOAD\\n']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            ({"A": "a\x00b"}, "environment_variables['A']: holds a NUL character, which nothing here can be given; remove it"),
            ({"$(touch x)": "x"}, "environment_variables['$(touch x)']: is not a name for an environment variable; allowed are letters, digits and _, not starting with a digit"),
            (["A"], "environment_variables: is a list; allowed is a map of texts"),
        ],
        "distribution": [
            (2, "distribution: is 2, an int; allowed is a Distribution"),
            ({"workers": 2}, "distribution: is {'workers': 2}, a dict; allowed is a Distribution"),
        ],
        "triggers": [
            ("x", "triggers: is 'x', a str; allowed is a map of texts"),
            ({"a": 1}, "triggers['a']: is 1, an int; allowed is text, as in '1'"),
            ({"a": None}, "triggers['a']: is None; allowed is text"),
        ],
        "cpus": [
            ("2", "cpus: is '2', a str; allowed is a number"),
            (True, "cpus: is True, a bool; allowed is a number"),
            (NAN, "cpus: is nan; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (INF, "cpus: is inf; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (-1, "cpus: is -1; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (0, "cpus: is 0; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (1025, "cpus: is 1025; allowed is 0.01 to 1024 processors, or leave it out for no limit"),
            (HUGE, "cpus: is a number of 1329 bits; allowed is a number that is not so large"),
            ([1], "cpus: is [1], a list; allowed is a number"),
        ],
        "memory_gb": [
            ("4", "memory_gb: is '4', a str; allowed is a number"),
            (0, "memory_gb: is 0; allowed is 0.006 to 24576 GB, or leave it out for no limit"),
            (-1, "memory_gb: is -1; allowed is 0.006 to 24576 GB, or leave it out for no limit"),
            (1000000, "memory_gb: is 1e+06; allowed is 0.006 to 24576 GB, or leave it out for no limit"),
            (NAN, "memory_gb: is nan; allowed is 0.006 to 24576 GB, or leave it out for no limit"),
        ],
        "gpus": [
            ("1", "gpus: is '1', a str; allowed is a whole number"),
            (1.0, "gpus: is 1.0, a float; allowed is a whole number"),
            (True, "gpus: is True, a bool; allowed is a whole number"),
            (None, "gpus: is None; allowed is a whole number"),
            (-1, "gpus: is -1; allowed are whole numbers from 0 to 64"),
            (65, "gpus: is 65; allowed are whole numbers from 0 to 64"),
        ],
        "instance_type": [
            (5, "instance_type: is 5, an int; allowed is text, as in '5'"),
            ("gpu", "instance_type: is 'gpu', and Docker has no instance types; leave it out, or run the job on a KubernetesCompute"),
        ],
        "timeout_minutes": [
            ("30", "timeout_minutes: is '30', a str; allowed is a number"),
            (0, "timeout_minutes: is 0; allowed is 0.01 to 43200 minutes, or leave it out for no limit"),
            (-5, "timeout_minutes: is -5; allowed is 0.01 to 43200 minutes, or leave it out for no limit"),
            (INF, "timeout_minutes: is inf; allowed is 0.01 to 43200 minutes, or leave it out for no limit"),
            (43201, "timeout_minutes: is 43201; allowed is 0.01 to 43200 minutes, or leave it out for no limit"),
        ],
        "experiment": [
            (5, "experiment: is 5, an int; allowed is text, as in '5'"),
            (["a"], "experiment: is ['a'], a list; allowed is text"),
            ("a\x00b", "experiment: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "display_name": [
            (5, "display_name: is 5, an int; allowed is text, as in '5'"),
            ("caf\ud800", "display_name: holds half of a character, which no UTF-8 can be; remove it"),
        ],
        "tags": [
            ("a", "tags: is 'a', a str; allowed is a map of texts"),
            ({"a": 1}, "tags['a']: is 1, an int; allowed is text, as in '1'"),
            ({"a": None}, "tags['a']: is None; allowed is text"),
            ({1: "a"}, "tags: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
        "identity": [
            (5, "identity: is 5, an int; allowed is text, as in '5'"),
            ("somebody", "identity: is 'somebody'; allowed are managed, user, or the client id of one of the cluster's identities"),
            ("managed;user", "identity: is 'managed;user'; allowed are managed, user, or the client id of one of the cluster's identities"),
        ],
        "allow_secrets": [
            (".env", "allow_secrets: is '.env', a str; allowed is a list of texts, as in ['.env']"),
            ([5], "allow_secrets[0]: is 5, an int; allowed is text, as in '5'"),
            (None, "allow_secrets: is None; allowed is a list of texts"),
            (["a\x00"], "allow_secrets[0]: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "require_metrics": [
            ("accuracy >= 0.9", "require_metrics: is 'accuracy >= 0.9', a str; allowed is a list of texts, as in ['accuracy', '>=', '0.9']"),
            ([0.9], "require_metrics[0]: is 0.9, a float; allowed is text, as in '0.9'"),
            (["accuracy"], "require_metrics[0]: is 'accuracy'; write a metric, one of >= <= > <, and a number, as in 'accuracy >= 0.9'"),
            (["accuracy >= high"], "require_metrics[0]: is 'accuracy >= high'; write a metric, one of >= <= > <, and a number, as in 'accuracy >= 0.9'"),
            (["__import__('os') > 1"], 'require_metrics[0]: is "__import__(\'os\') > 1"; write a metric, one of >= <= > <, and a number, as in \'accuracy >= 0.9\''),
            (["accuracy >= 0.9; rm"], "require_metrics[0]: is 'accuracy >= 0.9; rm'; write a metric, one of >= <= > <, and a number, as in 'accuracy >= 0.9'"),
            (None, "require_metrics: is None; allowed is a list of texts"),
        ],
        "retries": [
            ("2", "retries: is '2', a str; allowed is a whole number"),
            (1.5, "retries: is 1.5, a float; allowed is a whole number"),
            (True, "retries: is True, a bool; allowed is a whole number"),
            (None, "retries: is None; allowed is a whole number"),
            (-1, "retries: is -1; allowed are whole numbers from 0 to 100"),
            (101, "retries: is 101; allowed are whole numbers from 0 to 100"),
            (HUGE, "retries: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "retry_on": [
            ("Failed", "retry_on: is 'Failed', a str; allowed is a list of texts, as in ['Failed']"),
            ([5], "retry_on[0]: is 5, an int; allowed is text, as in '5'"),
            (["Failed", "oom"], "retry_on[1]: is 'oom'; allowed are NotResponding, Failed, TimedOut"),
            ([], "retry_on: is empty; name some of NotResponding, Failed, TimedOut, or set retries to 0"),
            (None, "retry_on: is None; allowed is a list of texts"),
        ],
        "wait": [
            ("yes", "wait: is 'yes', a str; allowed is True or False"),
            (0, "wait: is 0, an int; allowed is True or False"),
            (None, "wait: is None; allowed is True or False"),
        ],
        "on_interrupt": [
            (None, "on_interrupt: is None; allowed is text"),
            (5, "on_interrupt: is 5, an int; allowed is text, as in '5'"),
            ("stop", "on_interrupt: is 'stop'; allowed are detach, cancel"),
            ("detach\n", "on_interrupt: is 'detach\\n'; allowed are detach, cancel"),
        ],
        "on_destroy": [
            (None, "on_destroy: is None; allowed is text"),
            (True, "on_destroy: is True, a bool; allowed is text"),
            ("keep", "on_destroy: is 'keep'; allowed are cancel, retain"),
            ("", "on_destroy: is ''; allowed are cancel, retain"),
        ],
    },
    aml_infra.TrainingImageArgs: {
        "base_image": [
            (5, "base_image: is 5, an int; allowed is text, as in '5'"),
            ("a b", "base_image: is given together with dockerfile; give one: dockerfile, if it shall be built"),
            ("a\x00b", "base_image: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "conda_file": [
            (5, "conda_file: is 5, an int; allowed is text or a path, as in '5'"),
            ("/nowhere.yml", ["conda_file: is installed on top of a base_image only; install its packages in the dockerfile", "conda_file: '/nowhere.yml' does not exist; give the path of the file"]),
            (".", ["conda_file: is installed on top of a base_image only; install its packages in the dockerfile", "conda_file: '{here}' is a folder; give the path of the file in it"]),
        ],
        "pip_requirements": [
            (["fastai"], "pip_requirements: is ['fastai'], a list; allowed is text or a path"),
            ("/nowhere.txt", ["pip_requirements: is installed on top of a base_image only; install its packages in the dockerfile", "pip_requirements: '/nowhere.txt' does not exist; give the path of the file"]),
            ("a\x00b", "pip_requirements: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "dockerfile": [
            (5, "dockerfile: is 5, an int; allowed is text or a path, as in '5'"),
            (b"FROM x\n", "dockerfile: is b'FROM x\\n', a bytes; allowed is text or a path"),
            ("", "dockerfile: is missing, and so is base_image; give one: base_image, if it is used as it is"),
            ("/nowhere/Dockerfile", "dockerfile: '/nowhere/Dockerfile' does not exist; give the path of a Dockerfile, or its text"),
            ("RUN x\n", "dockerfile: has no FROM line; start it with the base image, as in `FROM debian:bookworm-slim`"),
            ("FROM x\x00\n", "dockerfile: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "context": [
            (5, "context: is 5, an int; allowed is text or a path, as in '5'"),
            ("/nowhere", "context: '/nowhere' does not exist; give the folder whose files the Dockerfile copies"),
            (LONG, "context: '{here}/…' does not exist; give the folder whose files the Dockerfile copies"),
        ],
        "build_args": [
            ("A=1", "build_args: is a str; allowed is a map of texts"),
            ({"A": 1}, "build_args['A']: is an int; allowed is text"),
            ({"A B": "x"}, "build_args['A B']: is not a name for ARG; allowed are letters, digits and _, no digit first"),
            ({"A=B": "x"}, "build_args['A=B']: is not a name for ARG; allowed are letters, digits and _, no digit first"),
            ({"": "x"}, "build_args['']: is not a name for ARG; allowed are letters, digits and _, no digit first"),
            ({"A": "a\x00b"}, "build_args['A']: holds a NUL character, which nothing here can be given; remove it"),
            ({1: "x"}, "build_args: has 1, an int, as a name; allowed is text, as in '1'"),
            ({"--build-arg": "x"}, "build_args['--build-arg']: is not a name for ARG; allowed are letters, digits and _, no digit first"),
        ],
        "build_secrets": [
            ("token", "build_secrets: is a str; allowed is a map of texts"),
            ({"token": 5}, "build_secrets['token']: is an int; allowed is text"),
            ({"../token": "x"}, "build_secrets['../token']: is not an id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
            ({"token,src=/etc/passwd": "x"}, "build_secrets['token,src=/etc/passwd']: is not an id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
            ({"a b": "x"}, "build_secrets['a b']: is not an id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
            ({1: "x"}, "build_secrets: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
        "host_ca_secret": [
            (5, "host_ca_secret: is 5, an int; allowed is text, as in '5'"),
            (True, "host_ca_secret: is True, a bool; allowed is text"),
            ("a,b", "host_ca_secret: is 'a,b', no id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
            ("", "host_ca_secret: is '', no id for a build secret; allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"),
        ],
        "platform": [
            (5, "platform: is 5, an int; allowed is text, as in '5'"),
            ("linux", "platform: is 'linux'; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own"),
            ("linux/amd64,linux/arm64", "platform: is 'linux/amd64,linux/arm64'; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own"),
            ("", "platform: is ''; allowed are linux/amd64, linux/arm64, or leave it out for the daemon's own"),
        ],
        "user_managed_dependencies": [
            ("no", "user_managed_dependencies: is 'no', a str; allowed is True or False"),
            (1, "user_managed_dependencies: is 1, an int; allowed is True or False"),
        ],
        "cache_from": [
            ("type=inline", "cache_from: is 'type=inline', a str; allowed is a list of texts, as in ['type=inline']"),
            ([5], "cache_from[0]: is 5, an int; allowed is text, as in '5'"),
            (["registry"], "cache_from[0]: is 'registry'; allowed are type=registry,ref=..., type=local,src=..."),
            (["type=registry"], "cache_from[0]: is 'type=registry'; allowed are type=registry,ref=..., type=local,src=..."),
            (["type=local,dest=x"], "cache_from[0]: is 'type=local,dest=x'; allowed are type=registry,ref=..., type=local,src=..."),
            ([""], "cache_from[0]: is ''; allowed are type=registry,ref=..., type=local,src=..."),
        ],
        "cache_to": [
            ("type=inline", "cache_to: is 'type=inline', a str; allowed is a list of texts, as in ['type=inline']"),
            ([None], "cache_to[0]: is None; allowed is text"),
            (["type=s3,bucket=x"], "cache_to[0]: is 'type=s3,bucket=x'; allowed are type=registry,ref=..., type=local,dest=..., type=inline"),
            (None, "cache_to: is None; allowed is a list of texts"),
        ],
        "registry": [
            ("ghcr.io", "registry: is 'ghcr.io', a str; allowed is a ContainerRegistry or a RegistryArgs"),
            (5, "registry: is 5, an int; allowed is a ContainerRegistry or a RegistryArgs"),
            ({"server": "ghcr.io"}, "registry: is {'server': 'ghcr.io'}, a dict; allowed is a ContainerRegistry or a RegistryArgs"),
        ],
        "workspace": [
            ("pets", "workspace: is 'pets', a str; allowed is a Workspace or a WorkspaceArgs"),
            (5, "workspace: is 5, an int; allowed is a Workspace or a WorkspaceArgs"),
        ],
        "image_identity": [
            (5, "image_identity: is 5, an int; allowed is text, as in '5'"),
            (None, "image_identity: is None; allowed is text"),
            ("tag", "image_identity: is 'tag'; allowed are build_key, digest (build_key by default)"),
            ("", "image_identity: is ''; allowed are build_key, digest (build_key by default)"),
        ],
    },
    aml_infra.LocalDockerArgs: {
        "data_folder": [
            (5, "data_folder: is 5, an int; allowed is text or a path, as in '5'"),
            (b"runs", "data_folder: is b'runs', a bytes; allowed is text or a path"),
            ("/dev/null/runs", "data_folder: is '/dev/null/runs', but '/dev/null' is a file; give a folder"),
            ("a\x00b", "data_folder: holds a NUL character, which nothing here can be given; remove it"),
            (LONG, "data_folder: has a name of 5000 characters; allowed are 255 in each part of a path; give a folder"),
        ],
    },
    aml_infra.WorkspaceArgs: {
        "location": [
            (5, "location: is 5, an int; allowed is text, as in '5'"),
            (None, "location: is None; allowed is text"),
            ("", "location: is '', no name of a region; write it as in 'westeurope'"),
            ("West Europe", "location: is 'West Europe', no name of a region; write it as in 'westeurope'"),
            ("westeurope\n", "location: is 'westeurope\\n', no name of a region; write it as in 'westeurope'"),
            ("../westeurope", "location: is '../westeurope', no name of a region; write it as in 'westeurope'"),
        ],
        "resource_group": [
            (5, "resource_group: is 5, an int; allowed is text, as in '5'"),
            ("", "resource_group: is '', 0 characters; allowed are 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, not ending with a period, as in 'rg-pets'"),
            ("a/b", "resource_group: is 'a/b', 3 characters; allowed are 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, not ending with a period, as in 'rg-pets'"),
            ("rg.", "resource_group: is 'rg.', 3 characters; allowed are 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, not ending with a period, as in 'rg-pets'"),
            ("x" * 91, "resource_group: is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 91 characters; allowed are 1 to 90 letters, digits, hyphens, underscores, periods and parentheses, not ending with a period, as in 'rg-pets'"),
        ],
        "workspace_name": [
            (5, "workspace_name: is 5, an int; allowed is text, as in '5'"),
            ("", "workspace_name: is '', 0 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
            ("pets dev", "workspace_name: is 'pets dev', 8 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
            ("../pets", "workspace_name: is '../pets', 7 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
            ("x" * 34, "workspace_name: is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 34 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
            ("pets\n", "workspace_name: is 'pets\\n', 5 characters; allowed are 3 to 33 letters, digits, hyphens and underscores, starting with a letter or digit, as in 'pets'"),
        ],
        "friendly_name": [
            (5, "friendly_name: is 5, an int; allowed is text, as in '5'"),
            (["a"], "friendly_name: is ['a'], a list; allowed is text"),
            ("a\x00b", "friendly_name: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "description": [
            (5, "description: is 5, an int; allowed is text, as in '5'"),
            ("a\x00b", "description: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "public_network_access": [
            ("yes", "public_network_access: is 'yes', a str; allowed is True or False"),
            (1, "public_network_access: is 1, an int; allowed is True or False"),
            (None, "public_network_access: is None; allowed is True or False"),
        ],
        "high_business_impact": [
            ("no", "high_business_impact: is 'no', a str; allowed is True or False"),
            (0, "high_business_impact: is 0, an int; allowed is True or False"),
        ],
        "managed_network": [
            (5, "managed_network: is 5, an int; allowed is text, as in '5'"),
            (None, "managed_network: is None; allowed is text"),
            (True, "managed_network: is True, a bool; allowed is text"),
            ("open", "managed_network: is 'open'; allowed are allow_internet_outbound, allow_only_approved_outbound, disabled"),
            ("", "managed_network: is ''; allowed are allow_internet_outbound, allow_only_approved_outbound, disabled"),
        ],
        "outbound_rules": [
            (["pypi.org"], "outbound_rules: is ['pypi.org'], a list; allowed is a map of OutboundRule"),
            ({"pypi": "pypi.org"}, "outbound_rules['pypi']: is 'pypi.org', a str; allowed is an OutboundRule"),
            ({1: aml_infra.OutboundRule(fqdn="pypi.org")}, "outbound_rules: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
        "private_endpoint_subnet_id": [
            (5, "private_endpoint_subnet_id: is 5, an int; allowed is text, as in '5'"),
            ("", "private_endpoint_subnet_id: is ''; give a subnet's id, as in '/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/.../subnets/...'"),
            ("subnet", "private_endpoint_subnet_id: is 'subnet'; give a subnet's id, as in '/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/.../subnets/...'"),
            (f"{SUBNET}/x", "private_endpoint_subnet_id: is '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s/x'; give a subnet's id, as in '/subscriptions/.../resourceGroups/.../providers/Microsoft.Network/virtualNetworks/.../subnets/...'"),
        ],
        "private_dns_zone_ids": [
            ("zone", "private_dns_zone_ids: is 'zone', a str; allowed is a list of texts, as in ['zone']"),
            ([5], "private_dns_zone_ids[0]: is 5, an int; allowed is text, as in '5'"),
            (None, "private_dns_zone_ids: is None; allowed is a list of texts"),
        ],
        "purge_protection": [
            ("no", "purge_protection: is 'no', a str; allowed is True or False"),
            (1, "purge_protection: is 1, an int; allowed is True or False"),
        ],
        "soft_delete_days": [
            ("7", "soft_delete_days: is '7', a str; allowed is a whole number"),
            (7.0, "soft_delete_days: is 7.0, a float; allowed is a whole number"),
            (True, "soft_delete_days: is True, a bool; allowed is a whole number"),
            (None, "soft_delete_days: is None; allowed is a whole number"),
            (6, "soft_delete_days: is 6; allowed are whole numbers from 7 to 90"),
            (91, "soft_delete_days: is 91; allowed are whole numbers from 7 to 90"),
            (HUGE, "soft_delete_days: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "storage_redundancy": [
            (5, "storage_redundancy: is 5, an int; allowed is text, as in '5'"),
            (None, "storage_redundancy: is None; allowed is text"),
            ("LRS", "storage_redundancy: is 'LRS'; allowed are Standard_LRS, Standard_ZRS, Standard_GRS, Standard_RAGRS, Standard_GZRS, Standard_RAGZRS"),
            ("", "storage_redundancy: is ''; allowed are Standard_LRS, Standard_ZRS, Standard_GRS, Standard_RAGRS, Standard_GZRS, Standard_RAGZRS"),
        ],
        "log_retention_days": [
            ("30", "log_retention_days: is '30', a str; allowed is a whole number"),
            (29, "log_retention_days: is 29; allowed are whole numbers from 30 to 730"),
            (731, "log_retention_days: is 731; allowed are whole numbers from 30 to 730"),
        ],
        "contributors": [
            (["me"], "contributors: is ['me'], a list; allowed is a map of Principal"),
            ({"me": "guid"}, "contributors['me']: is 'guid', a str; allowed is a Principal"),
            ({"me": None}, "contributors['me']: is None; allowed is a Principal"),
        ],
        "config_path": [
            (5, "config_path: is 5, an int; allowed is text or a path, as in '5'"),
            ("/", "config_path: '/' is a folder; give the path of a file in it, as in 'config.json'"),
            ("/dev/null/config.json", "config_path: is '/dev/null/config.json', but '/dev/null' is a file; give another path"),
            ("a\x00b", "config_path: holds a NUL character, which nothing here can be given; remove it"),
            (LONG, "config_path: has a name of 5000 characters; allowed are 255 in each part of a path; give another path"),
        ],
        "tags": [
            ("a", "tags: is 'a', a str; allowed is a map of texts"),
            ({"a": 1}, "tags['a']: is 1, an int; allowed is text, as in '1'"),
            ({"a<b": "x"}, "tags['a<b']: is no name for a tag; allowed are up to 128 characters without < > % & \\ ? /"),
            ({"": "x"}, "tags['']: is no name for a tag; allowed are up to 128 characters without < > % & \\ ? /"),
            ({"x" * 129: "x"}, "tags['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']: is no name for a tag; allowed are up to 128 characters without < > % & \\ ? /"),
            ({"a": "x" * 257}, "tags['a']: has a value of 257 characters; allowed are 256"),
            ({1: "a"}, "tags: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
    },
    aml_infra.RegistryArgs: {
        "workspace": [
            (None, "workspace: is None; allowed is a Workspace or a WorkspaceArgs"),
            ("pets", "workspace: is 'pets', a str; allowed is a Workspace or a WorkspaceArgs"),
            (5, "workspace: is 5, an int; allowed is a Workspace or a WorkspaceArgs"),
        ],
        "sku": [
            (5, "sku: is 5, an int; allowed is text, as in '5'"),
            ("Free", "sku: is 'Free'; allowed are Basic, Standard, Premium"),
            ("", "sku: is ''; allowed are Basic, Standard, Premium"),
        ],
        "public_network_access": [
            ("yes", "public_network_access: is 'yes', a str; allowed is True or False"),
            (1, "public_network_access: is 1, an int; allowed is True or False"),
        ],
        "zone_redundancy": [
            ("no", "zone_redundancy: is 'no', a str; allowed is True or False"),
            (None, "zone_redundancy: is None; allowed is True or False"),
        ],
        "private_endpoint_subnet_id": [
            (5, "private_endpoint_subnet_id: is 5, an int; allowed is text, as in '5'"),
            (["a"], "private_endpoint_subnet_id: is ['a'], a list; allowed is text"),
        ],
        "private_dns_zone_ids": [
            ("zone", "private_dns_zone_ids: is 'zone', a str; allowed is a list of texts, as in ['zone']"),
            ([5], "private_dns_zone_ids[0]: is 5, an int; allowed is text, as in '5'"),
            (["zone"], "private_dns_zone_ids[0]: is 'zone'; allowed are ids of private DNS zones privatelink.azurecr.io"),
        ],
        "pushers": [
            ("me", "pushers: is 'me', a str; allowed is a map of Principal"),
            ({"me": "guid"}, "pushers['me']: is 'guid', a str; allowed is a Principal"),
        ],
        "tags": [
            ("a", "tags: is 'a', a str; allowed is a map of texts"),
            ({"a": 1}, "tags['a']: is 1, an int; allowed is text, as in '1'"),
        ],
    },
    aml_infra.GpuClusterArgs: {
        "workspace": [
            (None, "workspace: is None; allowed is a Workspace or a WorkspaceArgs"),
            ("pets", "workspace: is 'pets', a str; allowed is a Workspace or a WorkspaceArgs"),
        ],
        "vm_size": [
            (5, "vm_size: is 5, an int; allowed is text, as in '5'"),
            (None, "vm_size: is None; allowed is text"),
            ("", "vm_size: is '', no name of a size; write it with STANDARD_, as in 'STANDARD_NC4AS_T4_V3'"),
            ("NC6", "vm_size: is 'NC6', no name of a size; write it with STANDARD_, as in 'STANDARD_NC6'"),
            ("STANDARD_NC6; rm", "vm_size: is 'STANDARD_NC6; rm', no name of a size; write it with STANDARD_, as in 'STANDARD_NC4AS_T4_V3'"),
            ("STANDARD_NC6", "vm_size: is 'STANDARD_NC6', which Azure has retired; use 'STANDARD_NC4AS_T4_V3'; see https://learn.microsoft.com/azure/virtual-machines/sizes/retirement/retired-sizes-list"),
        ],
        "min_nodes": [
            ("1", "min_nodes: is '1', a str; allowed is a whole number"),
            (0.5, "min_nodes: is 0.5, a float; allowed is a whole number"),
            (True, "min_nodes: is True, a bool; allowed is a whole number"),
            (None, "min_nodes: is None; allowed is a whole number"),
            (-1, "min_nodes: is -1; allowed are whole numbers from 0 on"),
            (2, "min_nodes: is 2; allowed are at most the 1 of max_nodes"),
            (HUGE, "min_nodes: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "max_nodes": [
            ("1", "max_nodes: is '1', a str; allowed is a whole number"),
            (0, "max_nodes: is 0; allowed are whole numbers from 1 on"),
            (-1, "max_nodes: is -1; allowed are whole numbers from 1 on"),
            (None, "max_nodes: is None; allowed is a whole number"),
            (HUGE, "max_nodes: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "idle_seconds": [
            ("120", "idle_seconds: is '120', a str; allowed is a whole number"),
            (0, "idle_seconds: is 0; allowed are whole numbers from 1 on"),
            (1.5, "idle_seconds: is 1.5, a float; allowed is a whole number"),
        ],
        "low_priority": [
            ("no", "low_priority: is 'no', a str; allowed is True or False"),
            (1, "low_priority: is 1, an int; allowed is True or False"),
        ],
        "subnet_id": [
            (5, "subnet_id: is 5, an int; allowed is text, as in '5'"),
            (["a"], "subnet_id: is ['a'], a list; allowed is text"),
        ],
        "node_public_ip": [
            ("no", "node_public_ip: is 'no', a str; allowed is True or False"),
            (0, "node_public_ip: is 0, an int; allowed is True or False"),
        ],
        "adopt": [
            (5, "adopt: is 5, an int; allowed is text, as in '5'"),
            ("", "adopt: is '', no resource id of a cluster; `az ml compute show --query id` shows it, as in '/subscriptions/.../computes/gpu-cluster'"),
            ("gpu-cluster", "adopt: is 'gpu-cluster', no resource id of a cluster; `az ml compute show --query id` shows it, as in '/subscriptions/.../computes/gpu-cluster'"),
            ("/subscriptions/../computes/x", "adopt: is '/subscriptions/../computes/x', no resource id of a cluster; `az ml compute show --query id` shows it, as in '/subscriptions/.../computes/gpu-cluster'"),
        ],
        "tags": [
            ("a", "tags: is 'a', a str; allowed is a map of texts"),
            ({"a": None}, "tags['a']: is None; allowed is text"),
        ],
    },
    aml_infra.AksClusterArgs: {
        "workspace": [
            (None, "workspace: is None; allowed is a Workspace or a WorkspaceArgs"),
            ("pets", "workspace: is 'pets', a str; allowed is a Workspace or a WorkspaceArgs"),
        ],
        "vm_size": [
            (5, "vm_size: is 5, an int; allowed is text, as in '5'"),
            ("NC6", "vm_size: is 'NC6', no name of a size; write it with STANDARD_, as in 'STANDARD_NC6'"),
        ],
        "min_nodes": [
            ("1", "min_nodes: is '1', a str; allowed is a whole number"),
            (-1, "min_nodes: is -1; allowed are whole numbers from 0 on"),
            (2, "min_nodes: is 2; allowed are at most the 1 of max_nodes"),
        ],
        "max_nodes": [
            ("1", "max_nodes: is '1', a str; allowed is a whole number"),
            (0, "max_nodes: is 0; allowed are whole numbers from 1 to 1000"),
            (1001, "max_nodes: is 1001; allowed are whole numbers from 1 to 1000"),
        ],
        "low_priority": [
            ("yes", "low_priority: is 'yes', a str; allowed is True or False"),
        ],
        "taints": [
            ("sku=gpu:NoSchedule", "taints: is 'sku=gpu:NoSchedule', a str; allowed is a list of texts, as in ['sku=gpu:NoSchedule']"),
            (["gpu"], "taints[0]: is 'gpu'; allowed is 'key=value:effect', with NoSchedule, PreferNoSchedule or NoExecute as effect"),
            ([5], "taints[0]: is 5, an int; allowed is text, as in '5'"),
        ],
        "idle_minutes": [
            ("1", "idle_minutes: is '1', a str; allowed is a whole number"),
            (0, "idle_minutes: is 0; allowed are whole numbers from 1 on"),
        ],
        "system_vm_size": [
            (5, "system_vm_size: is 5, an int; allowed is text, as in '5'"),
            ("D4", "system_vm_size: is 'D4', no name of a size; write it with STANDARD_, as in 'STANDARD_D4'"),
        ],
        "system_min_nodes": [
            ("1", "system_min_nodes: is '1', a str; allowed is a whole number"),
            (0, "system_min_nodes: is 0; allowed are whole numbers from 1 on"),
            (4, "system_min_nodes: is 4; allowed are at most the 3 of system_max_nodes"),
        ],
        "system_max_nodes": [
            ("1", "system_max_nodes: is '1', a str; allowed is a whole number"),
            (0, "system_max_nodes: is 0; allowed are whole numbers from 1 to 1000"),
        ],
        "kubernetes_version": [
            (1.34, "kubernetes_version: is 1.34, a float; allowed is text, as in '1.34'"),
            ("1.34.2", "kubernetes_version: is '1.34.2'; give a minor version, as in '1.34': patches come by themselves"),
            ("latest", "kubernetes_version: is 'latest'; give a minor version, as in '1.34': patches come by themselves"),
        ],
        "tier": [
            (5, "tier: is 5, an int; allowed is text, as in '5'"),
            ("free", "tier: is 'free'; allowed are Free, Standard, Premium"),
        ],
        "local_accounts": [
            ("yes", "local_accounts: is 'yes', a str; allowed is True or False"),
        ],
        "registry": [
            ("images", "registry: is 'images', a str; allowed is a Registry"),
        ],
        "private_cluster": [
            ("yes", "private_cluster: is 'yes', a str; allowed is True or False"),
        ],
        "authorized_ip_ranges": [
            ("10.0.0.0/8", "authorized_ip_ranges: is '10.0.0.0/8', a str; allowed is a list of texts, as in ['10.0.0.0/8']"),
            (["x"], ["authorized_ip_ranges[0]: is 'x', no range of addresses ('x' does not appear to be an IPv4 or IPv6 network); give one as in '10.0.0.0/16'", "authorized_ip_ranges: are given, and the API server is private; leave them out, or set private_cluster=False"]),
            (["192.0.2.0/24"], "authorized_ip_ranges: are given, and the API server is private; leave them out, or set private_cluster=False"),
        ],
        "subnet_id": [
            (5, "subnet_id: is 5, an int; allowed is text, as in '5'"),
        ],
        "pod_cidr": [
            (5, "pod_cidr: is 5, an int; allowed is text, as in '5'"),
            ("x", "pod_cidr: is 'x', no range of addresses ('x' does not appear to be an IPv4 or IPv6 network); give one as in '10.0.0.0/16'"),
        ],
        "service_cidr": [
            (5, "service_cidr: is 5, an int; allowed is text, as in '5'"),
            ("10.0.0.0/30", "service_cidr: is '10.0.0.0/30', of too few addresses; give a larger range, as in '10.0.0.0/16'"),
            ("10.0.0.1/16", "service_cidr: is '10.0.0.1/16', no range of addresses (10.0.0.1/16 has host bits set); give one as in '10.0.0.0/16'"),
        ],
        "administrators": [
            (["me"], "administrators: is ['me'], a list; allowed is a map of Principal"),
            ({"me": "me"}, "administrators['me']: is 'me', a str; allowed is a Principal"),
        ],
        "tags": [
            ("x", "tags: is 'x', a str; allowed is a map of texts"),
            ({"a": 5}, "tags['a']: is 5, an int; allowed is text, as in '5'"),
        ],
    },
    aml_infra.KubernetesClusterArgs: {
        "kubeconfig": [
            (5, "kubeconfig: is 5, an int; allowed is text or a path, as in '5'"),
            ("", "kubeconfig: '' does not exist; give the path of a kubeconfig, or leave it out for kubectl's own, '/nowhere/config'"),
            ("/nowhere", "kubeconfig: '/nowhere' does not exist; give the path of a kubeconfig, or leave it out for kubectl's own, '/nowhere/config'"),
            ("a\x00b", "kubeconfig: holds a NUL character, which nothing here can be given; remove it"),
            ("apiVersion: v1\n", "kubeconfig: is the text of a kubeconfig; write it to a file, and give the path of that"),
        ],
        "context": [
            (5, "context: is 5, an int; allowed is text, as in '5'"),
            ("nowhere", "context: is 'nowhere', which '{folder}/kubeconfig' does not have; there are team"),
            ("", "context: is not given, and '{folder}/kubeconfig' has no current one; there are team"),
        ],
        "cluster": [
            ("pets", "cluster: is 'pets', a str; allowed is an AksCluster or an AksClusterArgs"),
            (aml_infra.AksClusterArgs(workspace=aml_infra.WorkspaceArgs(location="westeurope")), "kubeconfig: is given, and cluster says which one it is; leave one of them out"),
        ],
        "namespace": [
            (5, "namespace: is 5, an int; allowed is text, as in '5'"),
            ("", "namespace: is ''; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("Team", "namespace: is 'Team'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("a/b", "namespace: is 'a/b'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("default", "namespace: is 'default', which each cluster has already; give another name, or create_namespace=False to use it as it is"),
            ("kube-system", "namespace: is 'kube-system', which each cluster has already; give another name, or create_namespace=False to use it as it is"),
            ("x" * 64, "namespace: is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("team\n", "namespace: is 'team\\n'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
        ],
        "create_namespace": [
            ("no", "create_namespace: is 'no', a str; allowed is True or False"),
            (1, "create_namespace: is 1, an int; allowed is True or False"),
            (None, "create_namespace: is None; allowed is True or False"),
            (False, "namespace: is missing; create_namespace is False, so name the one that exists"),
        ],
        "registry": [
            ("ghcr.io", "registry: is 'ghcr.io', a str; allowed is a ContainerRegistry"),
            ({"server": "ghcr.io"}, "registry: is {'server': 'ghcr.io'}, a dict; allowed is a ContainerRegistry"),
        ],
        "gpu_quota": [
            ("8", "gpu_quota: is '8', a str; allowed is a whole number"),
            (1.5, "gpu_quota: is 1.5, a float; allowed is a whole number"),
            (True, "gpu_quota: is True, a bool; allowed is a whole number"),
            (-1, "gpu_quota: is -1; allowed are whole numbers from 0 to 100000"),
            (100001, "gpu_quota: is 100001; allowed are whole numbers from 0 to 100000"),
        ],
        "cpu_quota": [
            ("8", "cpu_quota: is '8', a str; allowed is a number"),
            (True, "cpu_quota: is True, a bool; allowed is a number"),
            (0, "cpu_quota: is 0; allowed is 0.001 to 1e+06 processors"),
            (NAN, "cpu_quota: is nan; allowed is 0.001 to 1e+06 processors"),
            (HUGE, "cpu_quota: is a number of 1329 bits; allowed is a number that is not so large"),
        ],
        "memory_quota_gb": [
            ("8", "memory_quota_gb: is '8', a str; allowed is a number"),
            (-1, "memory_quota_gb: is -1; allowed is 0.001 to 1e+06 GB"),
            (INF, "memory_quota_gb: is inf; allowed is 0.001 to 1e+06 GB"),
        ],
        "default_cpus": [
            ("1", "default_cpus: is '1', a str; allowed is a number"),
            (None, "default_cpus: is None; allowed is a number"),
            (0, "default_cpus: is 0; allowed is 0.001 to 1024 processors"),
        ],
        "default_memory_gb": [
            ("1", "default_memory_gb: is '1', a str; allowed is a number"),
            (None, "default_memory_gb: is None; allowed is a number"),
            (0, "default_memory_gb: is 0; allowed is 0.001 to 24576 GB"),
        ],
        "outputs_claim": [
            (5, "outputs_claim: is 5, an int; allowed is text, as in '5'"),
            ("", "outputs_claim: is ''; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
            ("../a", "outputs_claim: is '../a'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
            ("x" * 254, "outputs_claim: is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
        ],
        "storage_class": [
            (5, "storage_class: is 5, an int; allowed is text, as in '5'"),
            ("A", "storage_class: is 'A'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
        ],
        "storage_gb": [
            ("100", "storage_gb: is '100', a str; allowed is a number"),
            (0, "storage_gb: is 0; allowed is 0.001 to 1e+06 GB"),
            (NAN, "storage_gb: is nan; allowed is 0.001 to 1e+06 GB"),
        ],
        "shared_storage": [
            ("no", "shared_storage: is 'no', a str; allowed is True or False"),
            (1, "shared_storage: is 1, an int; allowed is True or False"),
        ],
        "queue": [
            (5, "queue: is 5, an int; allowed is text, as in '5'"),
            ("a b", "queue: is 'a b'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("a=b", "queue: is 'a=b'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
        ],
        "node_selector": [
            ("pool=gpu", "node_selector: is 'pool=gpu', a str; allowed is a map of texts"),
            ({"pool": 1}, "node_selector['pool']: is 1, an int; allowed is text, as in '1'"),
            ({"a b": "x"}, "node_selector['a b']: is 'a b', no key of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end; before it a domain and '/'"),
            ({"pool": "a b"}, "node_selector['pool']: is 'a b', no value of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end"),
            ({"pool": "a,b=c"}, "node_selector['pool']: is 'a,b=c', no value of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end"),
            ({1: "x"}, "node_selector: has 1, an int, as a name; allowed is text, as in '1'"),
        ],
        "tolerations": [
            ("gpu", "tolerations: is 'gpu', a str; allowed is a list of Toleration"),
            (["gpu"], "tolerations[0]: is 'gpu', a str; allowed is a Toleration"),
            ([None], "tolerations[0]: is None; allowed is a Toleration"),
            ({"key": "gpu"}, "tolerations: is {'key': 'gpu'}, a dict; allowed is a list of Toleration"),
        ],
        "autoscaling": [
            ("no", "autoscaling: is 'no', a str; allowed is True or False"),
            (1, "autoscaling: is 1, an int; allowed is True or False"),
        ],
        "priority_class": [
            (5, "priority_class: is 5, an int; allowed is text, as in '5'"),
            ("A b", "priority_class: is 'A b'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
        ],
        "shared_memory_gb": [
            ("2", "shared_memory_gb: is '2', a str; allowed is a number"),
            (None, "shared_memory_gb: is None; allowed is a number"),
            (0, "shared_memory_gb: is 0; allowed is 0.001 to 24576 GB"),
        ],
        "egress_cidrs": [
            ("10.0.0.0/8", "egress_cidrs: is '10.0.0.0/8', a str; allowed is a list of texts, as in ['10.0.0.0/8']"),
            ([5], "egress_cidrs[0]: is 5, an int; allowed is text, as in '5'"),
            (["10.0.0.1/8"], "egress_cidrs[0]: is '10.0.0.1/8', no range of addresses (10.0.0.1/8 has host bits set); give one as in '10.0.0.0/8'"),
            (["everywhere"], "egress_cidrs[0]: is 'everywhere', no range of addresses ('everywhere' does not appear to be an IPv4 or IPv6 network); give one as in '10.0.0.0/8'"),
        ],
        "device_plugin": [
            ("no", "device_plugin: is 'no', a str; allowed is True or False"),
        ],
        "pending_minutes": [
            ("30", "pending_minutes: is '30', a str; allowed is a number"),
            (0, "pending_minutes: is 0; allowed is 0.01 to 43200 minutes"),
            (None, "pending_minutes: is None; allowed is a number"),
        ],
        "runtime": [
            (5, "runtime: is 5, an int; allowed is text, as in '5'"),
            ("../a", "runtime: is '../a'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
        ],
    },
    aml_infra.Toleration: {
        "key": [
            (5, "tolerations[0].key: is 5, an int; allowed is text, as in '5'"),
            (None, "tolerations[0].key: is None; allowed is text"),
            ("a b", "tolerations[0].key: is 'a b', no key of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end; before it a domain and '/'"),
            ("/", "tolerations[0].key: is '/', no key of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end; before it a domain and '/'"),
        ],
        "operator": [
            (5, "tolerations[0].operator: is 5, an int; allowed is text, as in '5'"),
            ("In", "tolerations[0].operator: is 'In'; allowed are Exists, Equal"),
        ],
        "value": [
            (5, "tolerations[0].value: is 5, an int; allowed is text, as in '5'"),
            (None, "tolerations[0].value: is None; allowed is text"),
            ("a b", ["tolerations[0].key: is missing; only the operator 'Exists' needs none", "tolerations[0].value: is 'a b', no value of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end"]),
        ],
        "effect": [
            (5, "tolerations[0].effect: is 5, an int; allowed is text, as in '5'"),
            ("NoRun", "tolerations[0].effect: is 'NoRun'; allowed are NoSchedule, PreferNoSchedule, NoExecute"),
        ],
        "seconds": [
            ("5", "tolerations[0].seconds: is '5', a str; allowed is a whole number"),
            (5.0, "tolerations[0].seconds: is 5.0, a float; allowed is a whole number"),
            (True, "tolerations[0].seconds: is True, a bool; allowed is a whole number"),
            (5, "tolerations[0].seconds: is 5, and only the effect 'NoExecute' has a time"),
        ],
    },
    aml_infra.KubernetesComputeArgs: {
        "workspace": [
            (None, "workspace: is None; allowed is a Workspace or a WorkspaceArgs"),
            ("pets", "workspace: is 'pets', a str; allowed is a Workspace or a WorkspaceArgs"),
        ],
        "cluster": [
            (None, "cluster: is None; allowed is an AksCluster, an AksClusterArgs or text"),
            (5, "cluster: is 5, an int; allowed is an AksCluster, an AksClusterArgs or text, as in '5'"),
            (aml_infra.AksClusterArgs(workspace=aml_infra.WorkspaceArgs(location="westeurope")), ["cluster: has no local accounts, and Azure Machine Learning logs in by one; give it local_accounts=True", "cluster: has nodes with nvidia.com/gpu=present:NoSchedule, which the extension does not tolerate, and it has no other nodes; give it taints=(), and no low_priority"]),
            ("", "cluster: is '', no resource id of a cluster; `az aks show --query id`, or `az connectedk8s show --query id`, shows it, as in '/subscriptions/.../resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/vision'"),
            ("vision", "cluster: is 'vision', no resource id of a cluster; `az aks show --query id`, or `az connectedk8s show --query id`, shows it, as in '/subscriptions/.../resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/vision'"),
            ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c", "create_extension: is True, and the extension of a cluster on Azure Arc needs an Azure Relay, which Azure's own tool makes with it; install it by `az k8s-extension create --extension-type Microsoft.AzureML.Kubernetes`, and set this to False"),
            ("a\x00b", "cluster: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "instance_types": [
            (None, "instance_types: is None; allowed is a map of InstanceType"),
            ({}, "instance_types: is empty; give the sizes that jobs can have, as in {'small': InstanceType(cpus=4, memory_gb=16)}"),
            (["small"], "instance_types: is ['small'], a list; allowed is a map of InstanceType"),
            ({"small": 4}, "instance_types['small']: is 4, an int; allowed is an InstanceType"),
            ({5: aml_infra.InstanceType(cpus=1, memory_gb=1)}, "instance_types: has 5, an int, as a name; allowed is text, as in '5'"),
            ({"Small": aml_infra.InstanceType(cpus=1, memory_gb=1)}, "instance_types['Small']: is 'Small'; allowed are up to 253 characters: lower-case letters, digits, '-' and '.', with a letter or a digit at each end"),
        ],
        "default_instance_type": [
            (5, "default_instance_type: is 5, an int; allowed is text, as in '5'"),
            ("", "default_instance_type: is '', none of instance_types; there are small"),
            ("huge", "default_instance_type: is 'huge', none of instance_types; there are small"),
        ],
        "namespace": [
            (5, "namespace: is 5, an int; allowed is text, as in '5'"),
            (None, "namespace: is None; allowed is text"),
            ("", "namespace: is ''; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            ("Team", "namespace: is 'Team'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
            (LONG, "namespace: is '…'; allowed are up to 63 characters: lower-case letters, digits and '-', with a letter or a digit at each end"),
        ],
        "create_namespace": [
            ("no", "create_namespace: is 'no', a str; allowed is True or False"),
            (None, "create_namespace: is None; allowed is True or False"),
            (True, ["create_namespace: is True, and there is no login to the cluster; give kubeconfig or context, or make the namespace by `kubectl create namespace`", "namespace: is 'default', which each cluster has already; give another name, or leave create_namespace out"]),
        ],
        "kubeconfig": [
            (5, "kubeconfig: is 5, an int; allowed is text or a path, as in '5'"),
            ("", "kubeconfig: '' does not exist; give the path of a kubeconfig, or leave it out for kubectl's own, '/nowhere/config'"),
            ("/nowhere", "kubeconfig: '/nowhere' does not exist; give the path of a kubeconfig, or leave it out for kubectl's own, '/nowhere/config'"),
        ],
        "context": [
            (5, "context: is 5, an int; allowed is text, as in '5'"),
            ("team", "kubeconfig: is not given, and '/nowhere/config' of $KUBECONFIG does not exist; give the path of a kubeconfig"),
        ],
        "create_extension": [
            ("yes", "create_extension: is 'yes', a str; allowed is True or False"),
            (1, "create_extension: is 1, an int; allowed is True or False"),
        ],
        "extension_settings": [
            (None, "extension_settings: is None; allowed is a map of texts"),
            ("installVolcano", "extension_settings: is 'installVolcano', a str; allowed is a map of texts"),
            ({"installVolcano": False}, "extension_settings['installVolcano']: is False, a bool; allowed is text"),
            ({"installVolcano": "no"}, "extension_settings['installVolcano']: is 'no'; allowed are True, False"),
            ({"enableTraining": "False"}, "extension_settings['enableTraining']: is no setting that is left to you; allowed are clusterPurpose, enableInference, inferenceRouterHA, inferenceRouterServiceType, installDcgmExporter, installNvidiaDevicePlugin, installPromOp, installVolcano, internalLoadBalancerProvider, nginxIngress.enabled, sslCname, sslSecret, and nodeSelector.<key>"),
            ({"allowInsecureConnections": "True"}, "extension_settings['allowInsecureConnections']: is 'True', and models would be spoken to without TLS; leave it out, and give sslSecret and sslCname"),
            ({"enableInference": "True"}, "extension_settings: enable inference, which needs inferenceRouterServiceType, sslCname, sslSecret too; give them, or leave enableInference out"),
        ],
        "grant_roles": [
            ("no", "grant_roles: is 'no', a str; allowed is True or False"),
            (None, "grant_roles: is None; allowed is True or False"),
        ],
        "tags": [
            ("team", "tags: is 'team', a str; allowed is a map of texts"),
            ({"team": 5}, "tags['team']: is 5, an int; allowed is text, as in '5'"),
        ],
    },
    aml_infra.InstanceType: {
        "cpus": [
            ("4", "instance_types['small'].cpus: is '4', a str; allowed is a number"),
            (None, "instance_types['small'].cpus: is None; allowed is a number"),
            (0, "instance_types['small'].cpus: is 0; allowed is 0.001 to 1024 processors"),
            (NAN, "instance_types['small'].cpus: is nan; allowed is 0.001 to 1024 processors"),
            (INF, "instance_types['small'].cpus: is inf; allowed is 0.001 to 1024 processors"),
            (HUGE, "instance_types['small'].cpus: is a number of 1329 bits; allowed is a number that is not so large"),
        ],
        "memory_gb": [
            ("16", "instance_types['small'].memory_gb: is '16', a str; allowed is a number"),
            (None, "instance_types['small'].memory_gb: is None; allowed is a number"),
            (-1, "instance_types['small'].memory_gb: is -1; allowed is 0.001 to 24576 GB"),
            (NAN, "instance_types['small'].memory_gb: is nan; allowed is 0.001 to 24576 GB"),
        ],
        "gpus": [
            ("1", "instance_types['small'].gpus: is '1', a str; allowed is a whole number"),
            (0.5, "instance_types['small'].gpus: is 0.5, a float; allowed is a whole number"),
            (-1, "instance_types['small'].gpus: is -1; allowed are whole numbers from 0 to 64"),
            (65, "instance_types['small'].gpus: is 65; allowed are whole numbers from 0 to 64"),
        ],
        "node_selector": [
            ("gpu", "instance_types['small'].node_selector: is 'gpu', a str; allowed is a map of texts"),
            ({"pool": 5}, "instance_types['small'].node_selector['pool']: is 5, an int; allowed is text, as in '5'"),
            ({"a b": "gpu"}, "instance_types['small'].node_selector['a b']: is 'a b', no key of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end; before it a domain and '/'"),
            ({"pool": "a b"}, "instance_types['small'].node_selector['pool']: is 'a b', no value of a label; allowed are up to 63 characters: letters, digits, '-', '_' and '.', with a letter or a digit at each end"),
        ],
    },
    aml_infra.OutboundRule: {
        "fqdn": [
            (5, "outbound_rules['rule'].fqdn: is 5, an int; allowed is text, as in '5'"),
            ("", "outbound_rules['rule'].fqdn: is ''; give a host, as in 'pypi.org' or '*.anaconda.org'"),
            ("pypi", "outbound_rules['rule'].fqdn: is 'pypi'; give a host, as in 'pypi.org' or '*.anaconda.org'"),
            ("https://pypi.org", "outbound_rules['rule'].fqdn: is 'https://pypi.org'; give a host, as in 'pypi.org' or '*.anaconda.org'"),
            ("pypi.org\n", "outbound_rules['rule'].fqdn: is 'pypi.org\\n'; give a host, as in 'pypi.org' or '*.anaconda.org'"),
            ("a;b.org", "outbound_rules['rule'].fqdn: is 'a;b.org'; give a host, as in 'pypi.org' or '*.anaconda.org'"),
        ],
        "resource_id": [
            (5, "outbound_rules['rule'].resource_id: is 5, an int; allowed is text, as in '5'"),
        ],
        "subresource": [
            (5, "outbound_rules['rule'].subresource: is 5, an int; allowed is text, as in '5'"),
            ("blob", "outbound_rules['rule'].subresource: is 'blob', and there is no resource_id; leave it out"),
        ],
        "service_tag": [
            (5, "outbound_rules['rule'].service_tag: is 5, an int; allowed is text, as in '5'"),
        ],
        "port_ranges": [
            (443, "outbound_rules['rule'].port_ranges: is 443, an int; allowed is text, as in '443'"),
            ("443", "outbound_rules['rule'].port_ranges: is '443', and there is no service_tag; leave it out"),
        ],
        "protocol": [
            (6, "outbound_rules['rule'].protocol: is 6, an int; allowed is text, as in '6'"),
            ("TCP", "outbound_rules['rule'].protocol: is 'TCP', and there is no service_tag; leave it out"),
        ],
    },
    aml_infra.Principal: {
        "object_id": [
            (5, "contributors['someone'].object_id: is 5, an int; allowed is text, as in '5'"),
            (None, "contributors['someone'].object_id: is None; allowed is text"),
            ("", "contributors['someone'].object_id: is '', no object id of Entra ID; `az ad signed-in-user show --query id` or `az ad sp show --id <application id> --query id` shows it"),
            ("me", "contributors['someone'].object_id: is 'me', no object id of Entra ID; `az ad signed-in-user show --query id` or `az ad sp show --id <application id> --query id` shows it"),
            ("12345678", "contributors['someone'].object_id: is '12345678', no object id of Entra ID; `az ad signed-in-user show --query id` or `az ad sp show --id <application id> --query id` shows it"),
        ],
        "type": [
            (5, "contributors['someone'].type: is 5, an int; allowed is text, as in '5'"),
            (None, "contributors['someone'].type: is None; allowed is text"),
            ("Robot", "contributors['someone'].type: is 'Robot'; allowed are User, Group, ServicePrincipal"),
        ],
    },
    aml_infra.DataInput: {
        "path": [
            (5, "inputs['data'].path: is 5, an int; allowed is text or a path, as in '5'"),
            (None, "inputs['data'].path: is None; allowed is text or a path"),
            (b"data", "inputs['data'].path: is b'data', a bytes; allowed is text or a path"),
            ("", "inputs['data']: is empty; give the path of a folder or a file, or a URI with its version"),
            ("/nowhere", "inputs['data']: '/nowhere' does not exist; give a folder or a file, or a URI"),
            ("s3://pets", "inputs['data']: is the URI 's3://pets' without a version, so that nobody could say whether the data has changed; give DataInput(path, version=...), such as a date or an ETag"),
            ("a\x00b", "inputs['data'].path: holds a NUL character, which nothing here can be given; remove it"),
        ],
        "version": [
            (5, "inputs['data'].version: is 5, an int; allowed is text, as in '5'"),
        ],
        "type": [
            (5, "inputs['data'].type: is 5, an int; allowed is text, as in '5'"),
            (None, "inputs['data'].type: is None; allowed is text"),
            ("table", "inputs['data'].type: is 'table'; allowed are folder, file"),
        ],
        "mode": [
            (5, "inputs['data'].mode: is 5, an int; allowed is text, as in '5'"),
            ("copy", "inputs['data'].mode: is 'copy'; allowed are mount, download"),
        ],
    },
    aml_infra.DataOutput: {
        "path": [
            (5, "outputs['model'].path: is 5, an int; allowed is text, as in '5'"),
            ("/etc", "outputs['model'].path: is '/etc', which no run can write to; give the URI of a datastore's folder, as in 'azureml://datastores/workspaceblobstore/paths/models', or leave it out to have it beside the run's other outputs"),
            ("../../etc", "outputs['model'].path: is '../../etc', which no run can write to; give the URI of a datastore's folder, as in 'azureml://datastores/workspaceblobstore/paths/models', or leave it out to have it beside the run's other outputs"),
        ],
        "mode": [
            (5, "outputs['model'].mode: is 5, an int; allowed is text, as in '5'"),
            (None, "outputs['model'].mode: is None; allowed is text"),
            ("copy", "outputs['model'].mode: is 'copy'; allowed are mount, upload"),
        ],
    },
    aml_infra.Distribution: {
        "workers": [
            ("2", "distribution.workers: is '2', a str; allowed is a whole number"),
            (2.0, "distribution.workers: is 2.0, a float; allowed is a whole number"),
            (True, "distribution.workers: is True, a bool; allowed is a whole number"),
            (None, "distribution.workers: is None; allowed is a whole number"),
            (0, "distribution.workers: is 0; allowed are whole numbers from 1 to 1024"),
            (1025, "distribution.workers: is 1025; allowed are whole numbers from 1 to 1024"),
            (HUGE, "distribution.workers: is a number of 1329 bits; allowed is a whole number that is not so large"),
        ],
        "framework": [
            (5, "distribution.framework: is 5, an int; allowed is text, as in '5'"),
            (None, "distribution.framework: is None; allowed is text"),
            ("jax", "distribution.framework: is 'jax'; allowed are pytorch, tensorflow, mpi"),
        ],
        "processes_per_worker": [
            ("2", "distribution.processes_per_worker: is '2', a str; allowed is a whole number"),
            (None, "distribution.processes_per_worker: is None; allowed is a whole number"),
            (0, "distribution.processes_per_worker: is 0; allowed are whole numbers from 1 to 64"),
            (65, ["distribution.processes_per_worker: is 65; allowed are whole numbers from 1 to 64", "distribution.processes_per_worker: is 65, and with Docker each worker is one process; ask for more workers, or let the command start processes, as torchrun does"]),
        ],
    },
    aml_infra.TrainingRunArgs: {
        "source": [
            (5, "source: is 5, an int; allowed is text or a path, as in '5'"),
            (None, "source: is None; allowed is text or a path"),
        ],
        "command": [
            ("python train.py", "command: is 'python train.py', a str; allowed is a list of texts, as in ['python', 'train.py']"),
            ([5], "command[0]: is 5, an int; allowed is text, as in '5'"),
        ],
        "image": [
            (5, "image: is 5, an int; allowed is text, as in '5'"),
            (None, "image: is None; allowed is text"),
        ],
        "image_identity": [
            (5, "image_identity: is 5, an int; allowed is text, as in '5'"),
        ],
        "image_parts": [
            ("a", "image_parts: is 'a', a str; allowed is a map of texts"),
            ({"a": 1}, "image_parts['a']: is 1, an int; allowed is text, as in '1'"),
        ],
        "backend": [
            (5, "backend: is 5, an int; allowed is text, as in '5'"),
            (None, "backend: is None; allowed is text"),
        ],
        "backend_options": [
            ("a", "backend_options: is 'a', a str; allowed is a map of texts"),
            ({"a": 1}, "backend_options['a']: is 1, an int; allowed is text, as in '1'"),
        ],
        "environment_variables": [
            ({"A": 1}, "environment_variables['A']: is an int; allowed is text"),
        ],
        "parameters": [
            ({"lr": [1]}, "parameters['lr']: is [1], a list; allowed is text, a number, True or False"),
        ],
        "inputs": [
            ({"data": 5}, "inputs['data']: is 5, an int; allowed is a DataInput, text or a path, as in '5'"),
        ],
        "outputs": [
            ({"model": "models"}, "outputs['model']: is 'models', a str; allowed is a DataOutput"),
        ],
        "distribution": [
            (2, "distribution: is 2, an int; allowed is a Distribution"),
        ],
        "triggers": [
            ({"a": 1}, "triggers['a']: is 1, an int; allowed is text, as in '1'"),
        ],
        "cpus": [
            ("2", "cpus: is '2', a str; allowed is a number"),
        ],
        "memory_gb": [
            ("2", "memory_gb: is '2', a str; allowed is a number"),
        ],
        "gpus": [
            ("1", "gpus: is '1', a str; allowed is a whole number"),
        ],
        "timeout_minutes": [
            ("2", "timeout_minutes: is '2', a str; allowed is a number"),
        ],
        "experiment": [
            (5, "experiment: is 5, an int; allowed is text, as in '5'"),
        ],
        "display_name": [
            (5, "display_name: is 5, an int; allowed is text, as in '5'"),
        ],
        "tags": [
            ({"a": 1}, "tags['a']: is 1, an int; allowed is text, as in '1'"),
        ],
        "identity": [
            (5, "identity: is 5, an int; allowed is text, as in '5'"),
        ],
        "allow_secrets": [
            (".env", "allow_secrets: is '.env', a str; allowed is a list of texts, as in ['.env']"),
        ],
        "require_metrics": [
            ("a > 1", "require_metrics: is 'a > 1', a str; allowed is a list of texts, as in ['a', '>', '1']"),
        ],
        "retries": [
            ("2", "retries: is '2', a str; allowed is a whole number"),
        ],
        "retry_on": [
            ("Failed", "retry_on: is 'Failed', a str; allowed is a list of texts, as in ['Failed']"),
        ],
        "wait": [
            ("yes", "wait: is 'yes', a str; allowed is True or False"),
        ],
        "on_interrupt": [
            (5, "on_interrupt: is 5, an int; allowed is text, as in '5'"),
        ],
        "on_destroy": [
            (5, "on_destroy: is 5, an int; allowed is text, as in '5'"),
        ],
    },
    Account: {
        "server": [
            (5, "registry.server: is 5, an int; allowed is text, as in '5'"),
            (None, "registry.server: is None; allowed is text"),
            ("", "registry.server: is '', no registry's name; give its host, with port and namespace where there are any, as in 'ghcr.io/team'"),
            ("https://ghcr.io", "registry.server: is 'https://ghcr.io', no registry's name; give its host, with port and namespace where there are any, as in 'ghcr.io/team'"),
            ("ghcr.io/Team", "registry.server: is 'ghcr.io/Team', no registry's name; give its host, with port and namespace where there are any, as in 'ghcr.io/team'"),
            ("ghcr.io;rm", "registry.server: is 'ghcr.io;rm', no registry's name; give its host, with port and namespace where there are any, as in 'ghcr.io/team'"),
        ],
        "username": [
            (5, "registry.username: is 5, an int; allowed is text, as in '5'"),
            (None, "registry.username: is None; allowed is text"),
            ("", "registry.username: is empty; give the account that may push and pull"),
        ],
        "password": [
            (5, "registry.password: is an int; allowed is text"),
            (None, "registry.password: is None; allowed is text"),
            ("", "registry.password: is empty; give the account that may push and pull"),
            (b"sesame", "registry.password: is a bytes; allowed is text"),
        ],
    },
}
