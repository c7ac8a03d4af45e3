"""The source snapshot: which files of a folder are part of a run, and what they hold.

Rules, in this order:

1. Never part of it: version control, virtual environments, caches (``NEVER``), and the ignore files themselves.
2. ``.amlignore`` at the top of the folder decides alone; without one, the ``.gitignore`` files in the folder and
   below decide as git reads them (an ignored folder is not entered; the deeper file wins).
3. What is left must not look like a secret, unless the user allows it by name.

A file is its path, its content and whether it is executable. Times, owners and where the folder lies do not count,
so that a laptop and a build server see the same snapshot of the same checkout.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pathlib
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence

import pathspec

from aml_infra import ignore_rules
from aml_infra.errors import InvalidInput, Problem, SourceChanged

NEVER = (
    ".git",
    ".hg",
    ".svn",
    ".venv",
    ".tox",
    ".nox",
    "__pycache__",
    "*.py[co]",
    ".ipynb_checkpoints",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".DS_Store",
    ".pulumi",
    ".amlignore",
    ".gitignore",
)
"""Never part of a snapshot, in gitignore syntax; a folder that holds a ``pyvenv.cfg`` is not either."""

SECRET_NAMES = (
    ".env",
    ".env.*",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "*.pem",
    "*.key",
    "*.pfx",
    "*.p12",
    "*.jks",
    "*.kdbx",
    ".netrc",
    "_netrc",
    ".pypirc",
    ".npmrc",
    ".git-credentials",
    ".dockercfg",
    ".docker/config.json",
    ".aws/credentials",
    ".azure/",
    ".kube/config",
    "kubeconfig",
    "*service-account*.json",
    "*service_account*.json",
    "credentials.json",
    "client_secret*.json",
    "token.json",
    "*.publishsettings",
)
"""Names that are likely to hold a secret, in gitignore syntax."""

MAX_BYTES = 300 * 1024 * 1024
"""Largest snapshot, in bytes: the limit that Azure Machine Learning has for a snapshot."""

SUMMARY_ENTRIES = 500
"""A summary with more entries than this is folded to folders."""

_CHUNK = 1024 * 1024

_NEVER = pathspec.GitIgnoreSpec.from_lines(NEVER)


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """One entry of a snapshot.

    Attributes:
        path: relative to the folder, with forward slashes.
        digest: SHA-256 of the content, in hexadecimal; of the target's text for a symbolic link.
        size: bytes of the content.
        kind: ``file``, ``executable`` or ``link``.
    """

    path: str
    digest: str
    size: int
    kind: str


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The files of a folder that are part of a run, sorted by path.

    Attributes:
        root: the folder, absolute. Not part of the digest.
        files: what is in it, sorted by path.
    """

    root: pathlib.Path
    files: tuple[SourceFile, ...]

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, over every path, kind and content."""
        whole = hashlib.sha256()
        for file in self.files:
            # NUL cannot be part of a path, so no two snapshots make the same bytes.
            whole.update(b"\0".join((_encode(file.path), file.kind.encode(), file.digest.encode(), b"")))
        return whole.hexdigest()

    def summarize(self, limit: int = SUMMARY_ENTRIES) -> dict[str, str]:
        """Maps each path to a short hash; the deepest folders are folded until at most ``limit`` entries are left.

        A folded folder is written ``folder/ (N files)`` without its count in the key, as ``folder/``.
        """
        entries = {file.path: (f"{file.kind}:{file.digest}", file.path.count("/")) for file in self.files}
        while len(entries) > limit:
            depth = max(deep for _, deep in entries.values())
            if depth == 0:
                break
            folded: dict[str, tuple[str, int]] = {}
            members: dict[str, list[str]] = {}
            for path, (value, deep) in entries.items():
                if deep < depth:
                    folded[path] = (value, deep)
                else:
                    members.setdefault(posixpath.dirname(path.rstrip("/")) + "/", []).append(f"{path}\0{value}")
            for folder, lines in members.items():
                folded[folder] = ("tree:" + hashlib.sha256(_encode("\0".join(sorted(lines)))).hexdigest(), depth - 1)
            entries = folded
        return {path: _shorten(value) for path, (value, _) in sorted(entries.items())}

    def add_to(self, tar: tarfile.TarFile, prefix: str) -> None:
        """Adds the snapshot to a tar archive under ``prefix``, each file checked against its digest as it is read.

        Owners and times are fixed, so that equal snapshots give equal archives.

        Raises:
            SourceChanged: a file is not what it was when the snapshot was taken.
        """
        folders: set[str] = set()
        for file in self.files:
            name = posixpath.join(prefix, file.path)
            for folder in _parents(name):
                if folder not in folders:
                    folders.add(folder)
                    tar.addfile(build_member(folder, tarfile.DIRTYPE, 0o777))
            self._write_member(tar, file, name)

    def _write_member(self, tar: tarfile.TarFile, file: SourceFile, name: str) -> None:
        path = self.root / file.path
        try:
            if file.kind == "link":
                member = build_member(name, tarfile.SYMTYPE, 0o777)
                member.linkname = os.readlink(path)
                if _hash_text(member.linkname) != file.digest:
                    raise SourceChanged(_describe_change(path))
                tar.addfile(member)
                return
            with path.open("rb") as stream:
                member = build_member(name, tarfile.REGTYPE, 0o755 if file.kind == "executable" else 0o644)
                member.size = file.size
                reader = _HashingReader(stream)
                tar.addfile(member, reader)
                if reader.digest() != file.digest or stream.read(1):
                    raise SourceChanged(_describe_change(path))
        except OSError as error:
            # A file that was shortened or removed in the meantime shows as a read error.
            raise SourceChanged(f"{_describe_change(path)} ({error})") from error


def take_snapshot(
    folder: str | os.PathLike[str], *, allow_secrets: Sequence[str] = (), max_bytes: int = MAX_BYTES
) -> Snapshot:
    """Reads ``folder`` and returns its snapshot.

    Args:
        folder: the source folder.
        allow_secrets: gitignore patterns of files that look like secrets and shall be part of it all the same.
        max_bytes: largest snapshot.

    Raises:
        InvalidInput: with every problem found: no such folder, nothing in it, likely secrets, links that leave the
            folder, names that are not UTF-8, files that cannot be read, too large.
    """
    if not os.fspath(folder).strip():
        # The empty path would be the working folder, which nobody has asked for.
        raise InvalidInput([Problem("source", "is empty; give the folder that holds the training code")])
    root = pathlib.Path(os.path.abspath(folder))
    if not os.path.isdir(root):
        what = "is a file" if os.path.exists(root) else "does not exist, or cannot be reached"
        raise InvalidInput([Problem("source", f"{str(root)!r} {what}; give the folder that holds the training code")])
    problems: list[Problem] = []
    paths = sorted(_walk(root, problems), key=_encode)
    problems += _find_secrets(paths, allow_secrets, _name_ignore_file(root))
    problems += _find_oversize(_measure(root, paths, problems), max_bytes)
    if not paths and not problems:
        problems.append(
            Problem(
                "source", f"{str(root)!r} holds no file that is not ignored; add the training code, or see .amlignore"
            )
        )
    if problems:
        raise InvalidInput(problems)
    return Snapshot(root=root, files=tuple(_read_files(root, paths)))


def _walk(root: pathlib.Path, problems: list[Problem]) -> Iterator[str]:
    try:
        chosen = ignore_rules.read_rules(root / ".amlignore")
    except OSError as error:
        problems.append(_describe_ignore_file(".amlignore", error))
        return
    yield from _enter(root, "", None if chosen is None else [("", chosen)], [], problems)


def _enter(
    root: pathlib.Path,
    folder: str,
    chosen: list[tuple[str, ignore_rules.Rules]] | None,
    inherited: list[tuple[str, ignore_rules.Rules]],
    problems: list[Problem],
) -> Iterator[str]:
    """Paths in ``folder`` by the rules ``chosen``, or, without them, by those ``inherited`` and its own."""
    try:
        own = ignore_rules.read_rules(root / folder / ".gitignore") if chosen is None else None
    except OSError as error:
        # The folder is left out: without its rules, more would be told than is wrong.
        problems.append(_describe_ignore_file(posixpath.join(folder, ".gitignore"), error))
        return
    here = inherited if own is None else [*inherited, (folder, own)]
    try:
        with os.scandir(root / folder) as entries:
            listed = sorted((posixpath.join(folder, entry.name), _find_kind(entry)) for entry in entries)
    except OSError as error:
        problems.append(_describe_unreadable(folder or ".", error))
        return
    for path, kind in listed:
        shown = path + "/" if kind == "folder" else path
        if _NEVER.match_file(shown) or ignore_rules.is_ignored(shown, here if chosen is None else chosen):
            continue
        if kind != "folder" or not _is_utf8(path):
            problems.extend(_find_entry_problems(root, path, kind))
            if kind != "other" and _is_utf8(path):
                yield path
        elif not os.path.exists(root / path / "pyvenv.cfg"):
            yield from _enter(root, path, chosen, here, problems)


def _find_entry_problems(root: pathlib.Path, path: str, kind: str) -> list[Problem]:
    if not _is_utf8(path):
        return [Problem("source", f"the name of {path!r} is not UTF-8; rename it or ignore it")]
    if kind == "other":
        return [Problem("source", f"{path!r} is neither a file, a folder nor a link; remove it or ignore it")]
    return _find_link_problems(root, path) if kind == "link" else []


def _find_kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def _is_utf8(name: str) -> bool:
    """Whether the name can be written down; Python reads the bytes that are not UTF-8 as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _describe_unreadable(path: str, error: OSError) -> Problem:
    return Problem("source", f"{path!r} cannot be read ({error.strerror or error}); make it readable, or ignore it")


def _describe_ignore_file(path: str, error: OSError) -> Problem:
    return Problem("source", f"{path!r} cannot be read ({error.strerror or error}); make it readable")


def _find_link_problems(root: pathlib.Path, path: str) -> list[Problem]:
    try:
        target = os.readlink(root / path)
    except OSError as error:
        return [_describe_unreadable(path, error)]
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if os.path.isabs(target) or resolved == ".." or resolved.startswith("../"):
        return [
            Problem(
                "source",
                f"link {path!r} leads to {target!r}, outside the source folder; copy the file in, or ignore the link",
            )
        ]
    return []


def _name_ignore_file(root: pathlib.Path) -> str:
    """The ignore file in force: an .amlignore that is added beside a .gitignore would switch that one off."""
    alone = os.path.exists(root / ".gitignore") and not os.path.exists(root / ".amlignore")
    return ".gitignore" if alone else ".amlignore"


def _find_secrets(paths: Sequence[str], allow: Sequence[str], ignore_file: str) -> list[Problem]:
    secrets = pathspec.GitIgnoreSpec.from_lines(SECRET_NAMES)
    allowed = pathspec.GitIgnoreSpec.from_lines(allow)
    return [
        Problem(
            "source",
            f"{path!r} looks like a secret and would be copied to the compute; add it to {ignore_file}, "
            "or allow it with allow_secrets",
        )
        for path in paths
        if secrets.match_file(path) and not allowed.match_file(path)
    ]


def _measure(root: pathlib.Path, paths: Sequence[str], problems: list[Problem]) -> dict[str, int]:
    """Maps paths to sizes; what cannot be opened is a problem, told now with the others, before all is read."""
    sizes = {}
    for path in paths:
        full = root / path
        try:
            status = full.lstat()
            if stat.S_ISREG(status.st_mode):
                full.open("rb").close()
        except OSError as error:
            problems.append(_describe_unreadable(path, error))
        else:
            sizes[path] = status.st_size
    return sizes


def _find_oversize(sizes: Mapping[str, int], max_bytes: int) -> list[Problem]:
    total = sum(sizes.values())
    if total <= max_bytes:
        return []
    largest = sorted(sizes, key=lambda path: sizes[path], reverse=True)[:3]
    named = ", ".join(f"{path} ({sizes[path] / 2**20:.0f} MiB)" for path in largest)
    return [
        Problem(
            "source",
            f"holds {total / 2**20:.0f} MiB in {len(sizes)} files; allowed are {max_bytes / 2**20:.0f} MiB; "
            f"largest: {named}; add data to .amlignore",
        )
    ]


def _read_files(root: pathlib.Path, paths: Sequence[str]) -> list[SourceFile]:
    files, problems = [], []
    for path in paths:
        try:
            files.append(_read_file(root, path))
        except OSError as error:
            problems.append(_describe_unreadable(path, error))
    if problems:
        raise InvalidInput(problems)
    return files


def _read_file(root: pathlib.Path, path: str) -> SourceFile:
    full = root / path
    status = full.lstat()
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(full)
        return SourceFile(path=path, digest=_hash_text(target), size=len(_encode(target)), kind="link")
    with full.open("rb") as stream:
        reader = _HashingReader(stream)
        size = 0
        while chunk := reader.read(_CHUNK):
            size += len(chunk)
    kind = "executable" if status.st_mode & stat.S_IXUSR else "file"
    return SourceFile(path=path, digest=reader.digest(), size=size, kind=kind)


class _HashingReader(io.RawIOBase):
    """Reads through to ``stream`` and hashes what passes."""

    def __init__(self, stream: io.BufferedReader) -> None:
        super().__init__()
        self._stream = stream
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self._hash.update(chunk)
        return chunk

    def digest(self) -> str:
        return self._hash.hexdigest()


def build_member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    """A tar member without owner or time."""
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    return member


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])


def _describe_change(path: pathlib.Path) -> str:
    return f"{str(path)!r} changed while it was being shipped; run it again when the file is no longer written to"


def _hash_text(text: str) -> str:
    return hashlib.sha256(_encode(text)).hexdigest()


def _shorten(value: str) -> str:
    """The kind where it is not a plain file, and the first digits of the digest."""
    kind, _, digest = value.partition(":")
    return digest[:12] if kind == "file" else f"{kind} {digest[:12]}"


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
