"""The arguments of ``TrainingImage``, and everything that can be wrong with them."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import pulumi

from aml_infra import arguments, docker_ignore, image_recipe
from aml_infra.components import functions, image_build, registry_login, training_image_packages, validation
from aml_infra.components.container_registry import ContainerRegistry
from aml_infra.components.external_registry import ExternalRegistry
from aml_infra.components.registry import RegistryArgs
from aml_infra.components.training_image_packages import Packages
from aml_infra.components.validation import Machine
from aml_infra.components.workspace import Workspace
from aml_infra.components.workspace_args import STAND_IN, WorkspaceArgs
from aml_infra.errors import BackendUnavailable, Problem

PLATFORMS = ("linux/amd64", "linux/arm64")
IDENTITIES = ("build_key", "digest")

CACHE_SOURCES = {"registry": "ref", "local": "src"}
"""What each type of ``cache_from`` must say."""

CACHE_TARGETS = {"registry": "ref", "local": "dest", "inline": None}
"""What each type of ``cache_to`` must say."""

_BUILD_ARG = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingImageArgs:
    """What the image is made from: exactly one of ``base_image``, with packages on top or without, and ``dockerfile``.

    Relative paths are taken from the program's working folder. All but the secrets' values must be plain values, since
    they decide at preview whether anything trains again.

    Attributes:
        base_image: reference of an image that is used as it is, such as ``python:3.12-slim``; or of the one that
            ``conda_file`` and ``pip_requirements`` are installed in.
        conda_file: path of a Conda environment file. The environment is made on top of ``base_image``, which must have
            Conda >= 4.5, and its ``bin`` comes first on PATH.
        pip_requirements: path of a pip requirements file, installed on top of ``base_image``, or in the environment of
            ``conda_file``. It may name no other file.
        dockerfile: path of a Dockerfile; or its text, if there is a line break in it.
        context: folder of the build context, less what its ``.dockerignore`` names. By default the Dockerfile's folder;
            for a text, an empty one.
        build_args: values of the Dockerfile's ``ARG`` instructions. They stay in the image's history: not for secrets.
        build_secrets: values for ``RUN --mount=type=secret,id=...``, by id. They are neither in the image nor in the
            state, and a changed value does not build again. While ``conda_file`` and ``pip_requirements`` are installed
            they are environment variables, such as ``PIP_INDEX_URL``.
        host_ca_secret: id of one more build secret: the file with the CAs that this machine trusts (``SSL_CERT_FILE``,
            else the system's bundle), for networks that intercept TLS. On a machine without such a file there is no
            such secret. By default it is not given. pip and Conda use it for ``conda_file`` and ``pip_requirements``.
        platform: ``linux/amd64`` or ``linux/arm64``; by default the Docker daemon's own, and with a ``workspace``
            ``linux/amd64``, which its nodes are.
        user_managed_dependencies: True where the image brings all packages: the default, unless there is a
            ``conda_file``. False lets Azure Machine Learning build a Conda environment on top, for which the image must
            have Conda >= 4.5.
        cache_from: BuildKit caches to read, as ``docker buildx build --cache-from`` takes them:
            ``type=registry,ref=...``, ``type=local,src=...``. A cache that is not there is passed over.
        cache_to: BuildKit caches to write: ``type=inline``, ``type=registry,ref=...``, ``type=local,dest=...``. Only
            Docker's containerd image store can write others than ``type=inline``.
        registry: where the image is pushed to, as ``<server>/<name>:<start of the build key>``. It stays there when the
            image is deleted from the stack, as other stacks may use it. By default it is in this machine's Docker only.
            The args of a registry may stand for it while the program is only validated.
        workspace: an Azure Machine Learning workspace that the image is registered in, as a version of the environment
            called like the component. Without a ``registry``, nothing is built here, and no Docker is needed: the
            workspace pulls ``base_image``, which must be public, and builds what the ``conda_file`` adds.
        image_identity: what the image is for a run's fingerprint. ``build_key`` (default): a recipe that is built again
            does not train again. ``digest``: every other digest trains again, and preview does not know a new one.
    """

    base_image: str | None = None
    conda_file: str | os.PathLike[str] | None = None
    pip_requirements: str | os.PathLike[str] | None = None
    dockerfile: str | os.PathLike[str] | None = None
    context: str | os.PathLike[str] | None = None
    build_args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    build_secrets: Mapping[str, pulumi.Input[str]] = dataclasses.field(default_factory=dict)
    host_ca_secret: str | None = None
    platform: str | None = None
    user_managed_dependencies: bool | None = None
    cache_from: Sequence[str] = ()
    cache_to: Sequence[str] = ()
    registry: ContainerRegistry | RegistryArgs | None = None
    workspace: Workspace | WorkspaceArgs | None = None
    image_identity: str = "build_key"

    @property
    def needs_conda(self) -> bool:
        """Whether the image, or its base, must have Conda."""
        return self.conda_file is not None or self.user_managed_dependencies is False

    @property
    def is_built_here(self) -> bool:
        """Whether it is built with this machine's Docker."""
        return self.workspace is None or self.registry is not None

    @property
    def is_built_by_service(self) -> bool:
        """Whether Azure Machine Learning builds it, on top of the base image."""
        return not self.is_built_here and self.conda_file is not None

    @property
    def is_local(self) -> bool:
        """Whether it is nowhere but in this machine's Docker."""
        return self.workspace is None and self.registry is None

    @property
    def built_platform(self) -> str | None:
        """The platform that it is built for; None for the Docker daemon's own."""
        return self.platform or ("linux/amd64" if self.workspace is not None else None)

    def find_problems(self, machine: Machine) -> list[Problem]:
        """Everything that is wrong with the recipe, and whether this machine can build it."""
        return arguments.find_problems(
            self,
            lambda args: args._find_rule_problems(machine),  # noqa: SLF001 (its own)
            stand_ins={"registry": RegistryArgs(workspace=STAND_IN)},
            related={
                "base_image": ("dockerfile", "context"),
                "dockerfile": ("base_image", "context"),
                "workspace": ("",),
                "build_secrets": ("host_ca_secret",),
                "conda_file": ("user_managed_dependencies",),
            },
        )

    def _find_rule_problems(self, machine: Machine) -> list[Problem]:
        base_problems = _find_base_problems(self)
        problems = [*base_problems, *_find_source_problems(self), *_find_package_problems(self)]
        problems += [*_find_name_problems(self), *_find_choice_problems(self), *_find_cache_problems(self)]
        if self.registry is not None and not isinstance(self.registry, RegistryArgs):
            problems += [problem.under("registry") for problem in self.registry.find_problems()]
        if self.workspace is not None:
            problems += _find_workspace_problems(self)
        if not self.is_built_here:
            return problems
        daemon, daemon_problems = machine.ask_daemon("")
        problems += daemon_problems
        if daemon is not None:
            if image_build.find_buildx() is None:
                problems.append(Problem("", f"Docker's buildx {image_build.MISSING_BUILDX}"))
            problems += _find_builder_problems(self)
            if self.base_image and not self.dockerfile and not base_problems and self.registry is None:
                problems += _look_up_base(self.base_image)
        return problems


def _find_workspace_problems(args: TrainingImageArgs) -> list[Problem]:
    problems = []
    if args.platform == "linux/arm64":
        problems.append(
            Problem("platform", "is 'linux/arm64', and the nodes of the workspace are linux/amd64; leave it out")
        )
    if args.is_built_here:
        return problems
    needs = "needs a registry that the workspace can pull from, as it is built here; give one"
    if args.dockerfile:
        problems.append(Problem("dockerfile", needs))
    if args.pip_requirements is not None:
        problems.append(Problem("pip_requirements", f"{needs}, or list the packages in a conda_file"))
    if args.user_managed_dependencies is False and args.conda_file is None:
        problems.append(
            Problem(
                "user_managed_dependencies",
                "is false, but there is no conda_file to build on top; give one, or leave it out",
            )
        )
    if args.is_built_by_service and args.image_identity == "digest":
        problems.append(
            Problem(
                "image_identity", "is 'digest', which nobody knows of an image that the workspace builds; leave it out"
            )
        )
    if args.dockerfile or args.pip_requirements is not None:
        return problems
    unused = {
        "build_args": args.build_args,
        "build_secrets": args.build_secrets,
        "host_ca_secret": args.host_ca_secret,
        "cache_from": args.cache_from,
        "cache_to": args.cache_to,
    }
    return problems + [
        Problem(name, "is of no use without a registry, as nothing is built here; leave it out")
        for name, given in unused.items()
        if given
    ]


def find_unreachable(args: TrainingImageArgs) -> list[Problem]:
    """What only this machine can pull from, so that no job of the workspace can: told, and not refused."""
    if args.workspace is None:
        return []
    if isinstance(args.registry, ExternalRegistry) and args.registry.is_on_this_machine:
        return [Problem("registry", f"{registry_login.UNREACHABLE}; give one that is on the internet")]
    if args.is_built_here or args.base_image is None:
        return []
    if registry_login.is_on_this_machine(registry_login.find_image_host(args.base_image)):
        return [Problem("base_image", f"{registry_login.UNREACHABLE}; push it to a registry that is on the internet")]
    return []


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


def read_packages(args: TrainingImageArgs) -> Packages:
    """What is installed on top of the base image.

    Raises:
        InvalidInput: with everything that is wrong with the files.
    """
    return training_image_packages.read_packages(
        args.conda_file, args.pip_requirements, args.build_secrets, args.host_ca_secret
    )


def _find_base_problems(args: TrainingImageArgs) -> list[Problem]:
    if args.base_image and args.dockerfile:
        return [Problem("base_image", "is given together with dockerfile; give one: dockerfile, if it shall be built")]
    if args.base_image and re.search(r"\s", args.base_image):
        return [Problem("base_image", f"is {args.base_image!r}; write it as in 'debian:bookworm-slim'")]
    return []


def _find_source_problems(args: TrainingImageArgs) -> list[Problem]:
    if args.base_image:
        if args.context is None or args.dockerfile:
            return []
        return [Problem("context", "is of no use with base_image, as nothing is copied in; leave it out")]
    if not args.dockerfile:
        missing = "is missing, and so is base_image; give one: base_image, if it is used as it is"
        return [Problem("dockerfile", missing), *_find_context_problems(args)]
    return [*_find_dockerfile_problems(args), *_find_context_problems(args)]


def _find_package_problems(args: TrainingImageArgs) -> list[Problem]:
    given = {"conda_file": args.conda_file, "pip_requirements": args.pip_requirements}
    problems = [
        Problem(name, "is installed on top of a base_image only; install its packages in the dockerfile")
        for name, file in given.items()
        if file is not None and args.dockerfile
    ]
    if args.conda_file is not None and args.user_managed_dependencies:
        problems.append(
            Problem(
                "user_managed_dependencies",
                "is true, which says that the image brings all packages, but conda_file adds some; leave one out",
            )
        )
    return problems + validation.collect(lambda: read_packages(args))


def _find_choice_problems(args: TrainingImageArgs) -> list[Problem]:
    problems = []
    if args.platform is not None and args.platform not in PLATFORMS:
        allowed = f"allowed are {', '.join(PLATFORMS)}, or leave it out for the daemon's own"
        problems.append(Problem("platform", f"is {args.platform!r}; {allowed}"))
    if args.image_identity not in IDENTITIES:
        problems.append(
            Problem(
                "image_identity",
                f"is {args.image_identity!r}; allowed are {', '.join(IDENTITIES)} (build_key by default)",
            )
        )
    return problems


def _find_cache_problems(args: TrainingImageArgs) -> list[Problem]:
    problems = []
    for name, specs, types in (
        ("cache_from", args.cache_from, CACHE_SOURCES),
        ("cache_to", args.cache_to, CACHE_TARGETS),
    ):
        examples = ", ".join(f"type={each},{key}=..." if key else f"type={each}" for each, key in types.items())
        for index, spec in enumerate(specs):
            words = dict(word.partition("=")[::2] for word in spec.split(","))
            key = types.get(words.get("type", ""), "type")
            if words.get("type") not in types or (key and not words.get(key)):
                problems.append(Problem(f"{name}[{index}]", f"is {spec!r}; allowed are {examples}"))
    return problems


def _find_builder_problems(args: TrainingImageArgs) -> list[Problem]:
    platform = args.built_platform
    foreign = platform in PLATFORMS
    exported = [spec for spec in args.cache_to if "type=inline" not in spec]
    if not foreign and not exported:
        return []
    builder = image_build.describe_builder(image_build.find_builder())
    problems = []
    if foreign and builder.platforms and platform not in builder.platforms:
        problems.append(
            Problem(
                "platform",
                f"is {platform!r}, and Docker here runs builds for {', '.join(builder.platforms)} only; build on "
                "such a machine, or install its emulation, see https://docs.docker.com/go/build-multi-platform/",
            )
        )
    if exported and builder.exports_cache is False:
        problems += [
            Problem(
                f"cache_to[{index}]",
                f"is {spec!r}, and Docker here can write type=inline only; write that, or turn on Docker's containerd "
                "image store, see https://docs.docker.com/engine/storage/containerd/",
            )
            for index, spec in enumerate(args.cache_to)
            if spec in exported
        ]
    return problems


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
    if os.path.exists(own_ignore):
        problems.append(
            Problem("dockerfile", f"{str(own_ignore)!r} is not read; move its lines to .dockerignore in the context")
        )
    return problems


def _find_context_problems(args: TrainingImageArgs) -> list[Problem]:
    context = find_context(args)
    if context is not None and os.path.isdir(context):
        return _find_ignore_problems(context)
    # Without one of its own, the context is wrong only together with the Dockerfile's path.
    if args.context is None or context is None:
        return []
    what = "is a file" if os.path.exists(context) else "does not exist"
    return [Problem("context", f"{str(context)!r} {what}; give the folder whose files the Dockerfile copies")]


def _find_ignore_problems(context: pathlib.Path) -> list[Problem]:
    path = str(context / ".dockerignore")
    try:
        image_recipe.read_dockerignore(context)
    except docker_ignore.BadPattern as error:
        return [Problem("context", f"{path!r} has the pattern {str(error)!r}, which Docker does not take; correct it")]
    except (OSError, UnicodeDecodeError) as error:
        return [Problem("context", f"{path!r} cannot be read ({error}); give a text file in UTF-8")]
    return []


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


def _look_up_base(base_image: str) -> list[Problem]:
    try:
        functions.identify_image(base_image)
    except BackendUnavailable as error:
        return [Problem("base_image", str(error))]
    return []
