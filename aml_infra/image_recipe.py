"""What an image is made from, and the build key that identifies it before it is built. No Pulumi.

The build key covers the Dockerfile, the build context after ``.dockerignore``, the build arguments and the platform.
It leaves out secrets, as BuildKit's own cache does, and the check of the image contract that is added to each build:
the check changes nothing in the image, so a newer check must not make every model train again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping

from aml_infra import docker_ignore, source
from aml_infra.errors import Problem

BUILD_KEY_VERSION = 1
KEY_PREFIX = 12
"""Hexadecimal digits of the build key in an image's tag."""

PARTS_LIMIT = 200
"""Most files of a context that are told one by one."""

_INSTRUCTION = re.compile(r"^\s*([A-Za-z]+)(?:\s|$)")
_DIRECTIVE = re.compile(r"^#\s*([A-Za-z]+)\s*=\s*(.+?)\s*$")
_CHUNK = 1024 * 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageRecipe:
    """Everything that decides what a build makes.

    Attributes:
        dockerfile: the Dockerfile's text.
        context: folder of the build context; None for an empty one.
        build_args: build arguments.
        platform: as in ``linux/amd64``; None for the builder's own.
        template: of a generated Dockerfile, the text without its ingredients; empty for one that a user wrote.
        ingredients: of a generated Dockerfile, the digest of each thing that its text names, by the thing's name.
    """

    dockerfile: str
    context: pathlib.Path | None = None
    build_args: Mapping[str, str] = dataclasses.field(default_factory=dict)
    platform: str | None = None
    template: str = ""
    ingredients: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def files(self) -> list[tuple[str, str, str]]:
        """What the build can see in its context, read once; see ``read_context``."""
        return [] if self.context is None else read_context(self.context)

    @property
    def build_key(self) -> str:
        """SHA-256, in hexadecimal: the same on every machine that has the same files."""
        identity = {
            "version": BUILD_KEY_VERSION,
            "dockerfile": self.dockerfile,
            "context": [list(entry) for entry in self.files],
            "build_args": dict(self.build_args),
            "platform": self.platform,
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    def summarize(self, limit: int = PARTS_LIMIT) -> dict[str, str]:
        """What the build key is made of, for sentences that explain a change: short digests by the name of the part.

        A context of more than ``limit`` files is folded to its folders, as in ``context/data/``.
        """
        files = [source.SourceFile(path=path, digest=digest, size=0, kind=kind) for path, kind, digest in self.files]
        listed = source.Snapshot(root=pathlib.Path(), files=tuple(files)).summarize(limit)
        return {
            "Dockerfile": _shorten(self.template or self.dockerfile),
            **{name: digest.removeprefix("sha256:")[:KEY_PREFIX] for name, digest in self.ingredients.items()},
            **{f"context/{path}": value for path, value in listed.items()},
            **{f"build_args.{name}": _shorten(value) for name, value in sorted(self.build_args.items())},
            **({} if self.platform is None else {"platform": self.platform}),
        }


def _shorten(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:KEY_PREFIX]


def read_context(folder: pathlib.Path) -> list[tuple[str, str, str]]:
    """Path, kind and SHA-256 of each file that the build can see in ``folder``, sorted by path.

    ``.dockerignore`` itself is not among them: what it does shows in what is left. Folders are not either, as git
    does not keep empty ones.
    """
    return sorted(_read_entries(folder, read_dockerignore(folder)))


def _read_entries(folder: pathlib.Path, patterns: docker_ignore.Patterns) -> Iterator[tuple[str, str, str]]:
    for name in _walk(folder, patterns):
        path = folder / name
        status = path.lstat()
        if name == ".dockerignore":
            continue
        if stat.S_ISLNK(status.st_mode):
            yield name, "link", hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()
        elif stat.S_ISREG(status.st_mode):
            yield name, "executable" if status.st_mode & stat.S_IXUSR else "file", _hash_file(path)


def _walk(folder: pathlib.Path, patterns: docker_ignore.Patterns) -> Iterator[str]:
    """The files and links that no pattern takes out, with forward slashes."""
    waiting: list[tuple[str, docker_ignore.Known]] = [("", ())]
    while waiting:
        prefix, known = waiting.pop()
        with os.scandir(folder / prefix) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in found:
            ignored, own = patterns.ignore(prefix + name, known)
            if is_folder and (not ignored or patterns.take_back):
                waiting.append((f"{prefix}{name}/", own))
            elif not is_folder and not ignored:
                yield prefix + name


def read_dockerignore(folder: pathlib.Path) -> docker_ignore.Patterns:
    """The patterns of the ``.dockerignore`` in ``folder``; none without one.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
        BadPattern: the builder would refuse it.
    """
    try:
        text = (folder / ".dockerignore").read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        text = ""
    return docker_ignore.read_patterns(text)


def _hash_file(path: pathlib.Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()


def find_dockerfile_problems(text: str) -> list[Problem]:
    """Problems of a Dockerfile's text: it must start from an image. The builder finds the rest at preview."""
    words = (_INSTRUCTION.match(line) for line in text.splitlines() if not line.lstrip().startswith("#"))
    if any(word is not None and word.group(1).upper() == "FROM" for word in words):
        return []
    what = "is empty" if not text.strip() else "has no FROM line"
    return [Problem("dockerfile", f"{what}; start it with the base image, as in `FROM debian:bookworm-slim`")]


def append_instruction(dockerfile: str, instruction: str) -> str:
    """``dockerfile`` with one more instruction at the end of its last stage.

    A Dockerfile may end in a line continuation, which would swallow what comes next; it is taken off.
    """
    # Only a line feed ends a line for the builder.
    lines = dockerfile.rstrip().split("\n")
    last = next((index for index in reversed(range(len(lines))) if _is_significant(lines[index])), None)
    if last is not None:
        lines[last] = lines[last].rstrip()
        while lines[last].endswith(_find_escape(lines)):
            lines[last] = lines[last][:-1].rstrip()
    return "\n".join([*lines, instruction, ""])


def _is_significant(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _find_escape(lines: list[str]) -> str:
    """The continuation character: a backslash, unless a directive at the very top says otherwise."""
    for line in lines:
        directive = _DIRECTIVE.match(line)
        if directive is None:
            break
        if directive.group(1).lower() == "escape":
            return directive.group(2)
    return "\\"
