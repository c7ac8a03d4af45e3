"""The inputs of a training run: checked, completed with what is found on this machine, and read as a run spec.

``check`` adds to what the user wrote:

- ``sourceDigest`` and ``sourceFiles``, so that the diff names the files that changed;
- ``inputDigests`` and ``inputFiles``, likewise for each of the inputs;
- ``imageIdentity``, where the image is used as it is.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from aml_infra import backends, metric_gate, rules
from aml_infra import source as sources
from aml_infra import spec as specs
from aml_infra.backends.base import Backend
from aml_infra.errors import BackendUnavailable, InvalidInput, Problem
from aml_infra.provider import shapes, wire
from aml_infra.provider.lifecycle import Policy
from aml_infra.spec import Demand, Resources, RunInput, RunOutput, RunSpec

INPUT_SUMMARY_ENTRIES = 100
"""A summary of an input's files with more entries than this is folded to folders."""

OpenBackend = Callable[[str, Mapping[str, str]], Backend]


@dataclasses.dataclass(frozen=True)
class Checked:
    """What ``check`` makes of the user's inputs: completed values, and every problem found."""

    values: dict[str, Any]
    problems: tuple[Problem, ...]


def check(given: Mapping[str, Any], open_backend: OpenBackend = backends.open_backend) -> Checked:
    """Checks all of ``given`` that is known already, and completes it.

    Problems have the property paths of ``TrainingRunArgs``.
    """
    # A secret may be one of nothing.
    given = {key: value for key, value in given.items() if wire.reveal(value) is not None}
    problems = shapes.find_problems(given)
    values = wire.reveal(given)
    if wire.has_secret(given.get("image")):
        values["image"] = given["image"]
    if wire.has_secret(given.get("environmentVariables")):
        values["environmentVariables"] = _spread_secret(given["environmentVariables"])
    bad = {problem.path for problem in problems}
    known = {
        key: wire.reveal(value)
        for key, value in values.items()
        if not wire.has_unknown(value) and shapes.to_snake_case(key) not in bad
    }
    problems += _find_rule_problems(known, values)
    if "source" in known:
        problems += _add_source(values, known)
    elif wire.has_unknown(values.get("source")):
        values |= {"sourceDigest": wire.UNKNOWN, "sourceFiles": wire.UNKNOWN}
    if "inputs" not in bad and values.get("inputs"):
        problems += _add_inputs(values)
    if known.get("image", "image").strip() == "":
        problems.append(Problem("image", "is empty; give the reference of an image, as in 'debian:bookworm-slim'"))
    if wire.has_unknown(values.get("backend")) or wire.has_unknown(values.get("backendOptions")):
        values.setdefault("imageIdentity", wire.UNKNOWN)
    else:
        problems += _check_backend(values, known, _read_demand(known), open_backend)
    return Checked(values, tuple(problems))


def read_backend(values: Mapping[str, Any], open_backend: OpenBackend = backends.open_backend) -> Backend:
    """The backend that checked inputs, or the state made from them, name."""
    return open_backend(values.get("backend", "docker"), values.get("backendOptions") or {})


def read_spec(name: str, values: Mapping[str, Any]) -> RunSpec | None:
    """Checked inputs as a run spec, or None while something in the fingerprint is not known."""
    identity = (
        "sourceDigest",
        "command",
        "imageIdentity",
        "parameters",
        "inputDigests",
        "outputs",
        "distribution",
        "triggers",
    )
    required = ("sourceDigest", "command", "imageIdentity")
    if any(wire.has_unknown(values.get(key)) for key in identity) or any(key not in values for key in required):
        return None
    variables = values.get("environmentVariables") or {}
    # Of a secret one, only the name counts.
    if wire.reveal(variables) is wire.UNKNOWN or any(value is wire.UNKNOWN for value in variables.values()):
        return None
    image = wire.reveal(values["image"])
    demand = _read_demand(values)
    return RunSpec(
        name=name,
        source_digest=values["sourceDigest"],
        command=tuple(values["command"]),
        image="" if image is wire.UNKNOWN else image,
        image_identity=wire.reveal(values["imageIdentity"]),
        environment={key: value for key, value in variables.items() if not isinstance(value, wire.Secret)},
        secrets={
            key: "" if wire.has_unknown(value) else wire.reveal(value)
            for key, value in variables.items()
            if isinstance(value, wire.Secret)
        },
        parameters={key: specs.format_parameter(value) for key, value in (values.get("parameters") or {}).items()},
        inputs=demand.inputs,
        outputs=demand.outputs,
        workers=demand.workers,
        framework=demand.framework,
        processes_per_worker=demand.processes_per_worker,
        triggers=values.get("triggers") or {},
        resources=demand.resources,
        timeout_minutes=_read_known(values, "timeoutMinutes"),
        experiment=_read_known(values, "experiment") or "Default",
        display_name=_read_known(values, "displayName") or name,
        tags=_read_known(values, "tags") or {},
        identity=demand.identity,
    )


def read_policy(values: Mapping[str, Any]) -> Policy:
    """What checked inputs say about what is done with the run."""
    wait = _read_known(values, "wait")
    return Policy(
        wait=wait is None or bool(wait),
        retries=int(_read_known(values, "retries") or 0),
        retry_on=tuple(_read_known(values, "retryOn") or rules.RETRY_ON_DEFAULT),
        on_interrupt=_read_known(values, "onInterrupt") or "detach",
        require_metrics=tuple(_read_known(values, "requireMetrics") or ()),
    )


def _spread_secret(variables: Any) -> Any:
    """A map that is a secret as a whole, as one of secrets: its names are part of the fingerprint."""
    if isinstance(variables, wire.Secret) and isinstance(variables.value, dict):
        return {key: wire.Secret(wire.reveal(value)) for key, value in variables.value.items() if value is not None}
    if isinstance(variables, dict):
        return {key: value for key, value in variables.items() if value is not None}
    return variables


def _find_rule_problems(known: Mapping[str, Any], values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    # The names of a map may be known before its values are.
    named = {key: values.get(key, {}) for key in ("inputs", "outputs", "parameters")}
    if "command" in known and all(isinstance(value, dict) for value in named.values()):
        problems += rules.find_command_problems(known["command"], **named)
    demand = _read_demand(known)
    problems += rules.find_environment_problems(known.get("environmentVariables", {}), demand)
    problems += rules.find_parameter_problems(known.get("parameters", {}))
    problems += rules.find_output_problems(demand.outputs)
    variables = values.get("environmentVariables")
    has_secrets = isinstance(variables, dict) and any(isinstance(value, wire.Secret) for value in variables.values())
    problems += rules.find_identity_problems(demand.identity, has_secrets=has_secrets)
    problems += rules.find_distribution_problems(demand)
    problems += rules.find_resource_problems(demand.resources, known.get("timeoutMinutes"))
    problems += rules.find_policy_problems(
        on_destroy=known.get("onDestroy", "cancel"),
        on_interrupt=known.get("onInterrupt", "detach"),
        retries=known.get("retries", 0),
        retry_on=known.get("retryOn", rules.RETRY_ON_DEFAULT),
    )
    return problems + metric_gate.find_problems(known.get("requireMetrics", ()))


def _add_source(values: dict[str, Any], known: Mapping[str, Any]) -> list[Problem]:
    try:
        snapshot = sources.take_snapshot(known["source"], allow_secrets=known.get("allowSecrets") or ())
    except InvalidInput as error:
        return list(error.problems)
    values["sourceDigest"] = snapshot.digest
    values["sourceFiles"] = snapshot.summarize()
    return []


def _add_inputs(values: dict[str, Any]) -> list[Problem]:
    digests: dict[str, Any] = {}
    files: dict[str, Any] = {}
    problems: list[Problem] = []
    values |= {"inputDigests": digests, "inputFiles": files}
    if values["inputs"] is wire.UNKNOWN:
        values |= {"inputDigests": wire.UNKNOWN, "inputFiles": wire.UNKNOWN}
        return []
    for name, given in values["inputs"].items():
        digests[name] = files[name] = wire.UNKNOWN
        if wire.has_unknown(given):
            continue
        path, version = given["path"], given.get("version") or ""
        data = _read_input(given, version)
        found = rules.find_input_problems({name: data})
        if not found and specs.is_uri(path):
            # With the place: version 3 of one thing is not version 3 of another.
            digests[name], files[name] = data.identity, {path: version}
        elif not found:
            if version:
                found.append(
                    Problem(
                        f"inputs[{name!r}].version",
                        f"is {version!r}, but {path!r} is on this machine, where its content counts; leave it out",
                    )
                )
            try:
                snapshot = sources.take_data_snapshot(path)
            except InvalidInput as error:
                found += [problem.under(f"inputs[{name!r}]") for problem in error.problems]
            else:
                digests[name], files[name] = snapshot.digest, snapshot.summarize(INPUT_SUMMARY_ENTRIES)
        problems += found
    return problems


def _check_backend(
    values: dict[str, Any],
    known: Mapping[str, Any],
    demand: Demand,
    open_backend: OpenBackend,
) -> list[Problem]:
    name = known.get("backend", "docker")
    if name not in backends.MODULES:
        return [Problem("backend", f"is {name!r}; allowed are {', '.join(sorted(backends.MODULES))}")]
    try:
        backend = open_backend(name, known.get("backendOptions") or {})
        problems = backend.find_problems(demand)
        if values.get("imageIdentity") is None and known.get("image", "").strip() and not problems:
            values["imageIdentity"] = backend.identify_image(known["image"])
    except InvalidInput as error:
        return list(error.problems)
    except BackendUnavailable as error:
        return [Problem("compute", str(error))]
    if values.get("imageIdentity") is None and wire.has_unknown(values.get("image")):
        values["imageIdentity"] = wire.UNKNOWN
    return problems


def _read_demand(values: Mapping[str, Any]) -> Demand:
    gpus = _read_whole(_read_known(values, "gpus") or 0)
    resources = Resources(cpus=_read_known(values, "cpus"), memory_gb=_read_known(values, "memoryGb"), gpus=gpus)
    digests = _read_known(values, "inputDigests") or {}
    distribution = _read_known(values, "distribution") or {}
    return Demand(
        resources=resources,
        workers=_read_whole(distribution.get("workers", 1)),
        framework=distribution.get("framework") or "pytorch",
        processes_per_worker=_read_whole(distribution.get("processesPerWorker", 1)),
        inputs={
            # Only of a URI there is one that was given.
            name: _read_input(given, given.get("version") or digests.get(name, ""))
            for name, given in (_read_known(values, "inputs") or {}).items()
        },
        outputs={
            name: RunOutput(path=asked.get("path") or "", mode=asked.get("mode") or "mount")
            for name, asked in (_read_known(values, "outputs") or {}).items()
        },
        identity=_read_known(values, "identity") or "",
    )


def _read_input(given: Mapping[str, Any], version: str) -> RunInput:
    return RunInput(
        path=given["path"], version=version, type=given.get("type") or "folder", mode=given.get("mode") or "mount"
    )


def _read_whole(number: float) -> int:
    # A fraction stays one, so that the check of its range can say so.
    return int(number) if math.isfinite(number) and not number % 1 else number  # type: ignore[return-value]


def _read_known(values: Mapping[str, Any], key: str) -> Any:
    value = values.get(key)
    return None if wire.has_unknown(value) else value
