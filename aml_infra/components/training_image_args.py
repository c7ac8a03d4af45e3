"""The arguments of ``TrainingImage``, and everything that can be wrong with them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping

import pulumi

from aml_infra import image_recipe
from aml_infra.components import functions, image_build
from aml_infra.components.validation import Machine
from aml_infra.errors import BackendUnavailable, Problem

PLATFORMS = ("linux/amd64", "linux/arm64")

_BUILD_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingImageArgs:
    """What the image is made from: exactly one of ``base_image`` and ``dockerfile``.

    Relative paths are taken from the program's working folder. All but the secrets' values must be plain values, since
    they decide at preview whether anything trains again.

    Attributes:
        base_image: reference of an image that is used as it is, such as ``python:3.12-slim``.
        dockerfile: path of a Dockerfile; or its text, if there is a line break in it.
        context: folder of the build context, less what its ``.dockerignore`` names. By default the Dockerfile's folder;
            for a text, an empty one.
        build_args: values of the Dockerfile's ``ARG`` instructions. They stay in the image's history: not for secrets.
        build_secrets: values for ``RUN --mount=type=secret,id=...``, by id. They are neither in the image nor in the
            state, and a changed value does not build again.
        host_ca_secret: id of one more build secret: the file with the CAs that this machine trusts (``SSL_CERT_FILE``,
            else the system's bundle), for networks that intercept TLS. On a machine without such a file there is no
            such secret. By default it is not given.
        platform: ``linux/amd64`` or ``linux/arm64``; the Docker daemon's own by default.
        user_managed_dependencies: True (default) where the image brings all packages. False lets Azure Machine Learning
            build a Conda environment on top, for which the image must have Conda >= 4.5.
    """

    base_image: str | None = None
    dockerfile: str | os.PathLike[str] | None = None
    context: str | os.PathLike[str] | None = None
    build_args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    build_secrets: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    host_ca_secret: str | None = None
    platform: str | None = None
    user_managed_dependencies: bool = True

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Everything that is wrong with the recipe, and whether this machine can build it."""
        problems = [*_find_source_problems(self), *_find_name_problems(self)]
        if self.platform is not None and self.platform not in PLATFORMS:
            problems.append(
                Problem(
                    "platform",
                    f"is {self.platform!r}; allowed are {', '.join(PLATFORMS)}, or leave it out for the daemon's own",
                )
            )
        daemon, daemon_problems = machine.ask_daemon("")
        problems += daemon_problems
        if daemon is not None:
            if image_build.find_buildx() is None:
                problems.append(Problem("", f"Docker's buildx {image_build.MISSING_BUILDX}"))
            if self.base_image and not problems:
                problems += _find_base_problems(self.base_image)
        return problems


def find_dockerfile(args: TrainingImageArgs) -> pathlib.Path | None:
    """The Dockerfile's path, or None where it is given as text."""
    if isinstance(args.dockerfile, str) and "\n" in args.dockerfile:
        return None
    return pathlib.Path(os.path.abspath(args.dockerfile or ""))


def find_context(args: TrainingImageArgs) -> pathlib.Path | None:
    """The folder of the build context, or None where it is empty."""
    if args.context is not None:
        return pathlib.Path(os.path.abspath(args.context))
    path = find_dockerfile(args)
    return None if path is None else path.parent


def _find_source_problems(args: TrainingImageArgs) -> list[Problem]:
    if args.base_image and args.dockerfile:
        return [Problem("base_image", "is given together with dockerfile; give one: dockerfile, if it shall be built")]
    if not args.base_image and not args.dockerfile:
        missing = "is missing, and so is base_image; give one: base_image, if it is used as it is"
        return [Problem("dockerfile", missing), *_find_context_problems(args)]
    if args.base_image:
        problems = []
        if re.search(r"\s", args.base_image):
            problems.append(Problem("base_image", f"is {args.base_image!r}; write it as in 'debian:bookworm-slim'"))
        if args.context is not None:
            problems.append(Problem("context", "is of no use with base_image, as nothing is copied in; leave it out"))
        return problems
    return [*_find_dockerfile_problems(args), *_find_context_problems(args)]


def _find_dockerfile_problems(args: TrainingImageArgs) -> list[Problem]:
    path = find_dockerfile(args)
    if path is None:
        return image_recipe.find_dockerfile_problems(str(args.dockerfile))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [Problem("dockerfile", f"{str(path)!r} does not exist; give the path of a Dockerfile, or its text")]
    except IsADirectoryError:
        return [Problem("dockerfile", f"{str(path)!r} is a folder; give the path of the Dockerfile in it")]
    except (OSError, UnicodeDecodeError) as error:
        return [Problem("dockerfile", f"{str(path)!r} cannot be read ({error}); give a text file in UTF-8")]
    problems = [
        dataclasses.replace(problem, message=f"{str(path)!r} {problem.message}")
        for problem in image_recipe.find_dockerfile_problems(text)
    ]
    own_ignore = path.with_name(f"{path.name}.dockerignore")
    if own_ignore.exists():
        problems.append(
            Problem("dockerfile", f"{str(own_ignore)!r} is not read; move its lines to .dockerignore in the context")
        )
    return problems


def _find_context_problems(args: TrainingImageArgs) -> list[Problem]:
    context = find_context(args)
    # Without one of its own, the context is wrong only together with the Dockerfile's path.
    if args.context is None or context is None or context.is_dir():
        return []
    what = "is a file" if context.exists() else "does not exist"
    return [Problem("context", f"{str(context)!r} {what}; give the folder whose files the Dockerfile copies")]


def _find_name_problems(args: TrainingImageArgs) -> list[Problem]:
    problems = [
        Problem(f"build_args[{name!r}]", "is not a name for ARG; allowed are letters, digits and _, no digit first")
        for name in args.build_args
        if not _BUILD_ARG.fullmatch(name)
    ]
    allowed = "allowed are letters, digits, _, - and ., as in `RUN --mount=type=secret,id=my_token`"
    problems += [
        Problem(f"build_secrets[{name!r}]", f"is not an id for a build secret; {allowed}")
        for name in args.build_secrets
        if not _SECRET_ID.fullmatch(name)
    ]
    if args.host_ca_secret is not None and not _SECRET_ID.fullmatch(args.host_ca_secret):
        problems.append(Problem("host_ca_secret", f"is {args.host_ca_secret!r}, no id for a build secret; {allowed}"))
    if args.host_ca_secret in args.build_secrets:
        problems.append(
            Problem("host_ca_secret", f"is {args.host_ca_secret!r}, which build_secrets has too; choose another id")
        )
    return problems


def _find_base_problems(base_image: str) -> list[Problem]:
    try:
        functions.identify_image(base_image)
    except BackendUnavailable as error:
        return [Problem("base_image", str(error))]
    return []
