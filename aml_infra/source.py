"""The source snapshot: which files of a folder are part of a run, and what they hold.

Rules, in this order:

1. Never part of it: version control, virtual environments, caches (``file_tree.NEVER``), and the ignore files
   themselves.
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
import operator
import os
import pathlib
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aml_infra import file_digests, file_tree, ignore_rules, stat_cache
from aml_infra.errors import InvalidInput, Problem, SourceChanged

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

_SOURCE = file_tree.Words("source", ignorable=True)
_DATA = file_tree.Words("", ignorable=False)


@dataclasses.dataclass(frozen=True, slots=True)
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
            whole.update(f"{file.path}\0{file.kind}\0{file.digest}\0".encode())
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
                reader = HashingReader(stream)
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
    root = os.path.abspath(folder)
    if not os.path.isdir(root):
        what = "is a file" if os.path.exists(root) else "does not exist, or cannot be reached"
        raise InvalidInput([Problem("source", f"{root!r} {what}; give the folder that holds the training code")])
    cache = stat_cache.open_cache(f"source\0{root}", os.environ)
    tree = file_tree.list_unignored(root, _SOURCE, cache.known, ignore_rules.build_rules(SECRET_NAMES))
    problems = tree.problems
    problems += _find_secrets(sorted(tree.marked), allow_secrets, _name_ignore_file(root))
    if not (tree.files or tree.links or problems):
        problems.append(
            Problem("source", f"{root!r} holds no file that is not ignored; add the training code, or see .amlignore")
        )
    if problems or _add_sizes(tree.files) > max_bytes:
        # Told before anything is read: what is too large takes long.
        readable = _find_readable(root, tree, problems)
        raise InvalidInput(problems + _find_oversize(readable, max_bytes))
    return Snapshot(root=pathlib.Path(root), files=_read_tree(root, tree, _SOURCE, cache))


def take_data_snapshot(path: str | os.PathLike[str]) -> Snapshot:
    """Reads data, which is a folder or a single file: nothing is ignored, and any size is allowed.

    The snapshot of a single file has the file's folder as its root.

    Raises:
        InvalidInput: with every problem found, each under an empty property path: no such file or folder, nothing in
            it, links that leave it, names that are not UTF-8, files that cannot be read.
    """
    if not os.fspath(path).strip():
        raise InvalidInput([Problem("", "is empty; give a folder or a file")])
    given = os.path.abspath(path)
    cache = stat_cache.open_cache(f"data\0{given}", os.environ)
    if os.path.isdir(given):
        tree = file_tree.list_all(given, _DATA, cache.known)
        if not (tree.files or tree.links or tree.problems):
            tree.problems.append(Problem("", f"{given!r} holds no file; add the data, or give another folder"))
        if tree.problems:
            raise InvalidInput(tree.problems)
        return Snapshot(root=pathlib.Path(given), files=_read_tree(given, tree, _DATA, cache))
    # The path itself may be a link, as that of a folder may.
    real = os.path.realpath(given)
    tree = file_tree.list_one(real, _DATA, cache.known)
    if tree.problems:
        raise InvalidInput(tree.problems)
    (file,) = _read_tree(os.path.dirname(real), tree, _DATA, cache)
    folder, name = os.path.split(given)
    return Snapshot(root=pathlib.Path(folder), files=(dataclasses.replace(file, path=name),))


def _name_ignore_file(root: str) -> str:
    """The ignore file in force: an .amlignore that is added beside a .gitignore would switch that one off."""
    beside = f"{root}/.gitignore"
    alone = os.path.exists(beside) and not os.path.islink(beside) and not os.path.exists(f"{root}/.amlignore")
    return ".gitignore" if alone else ".amlignore"


def _find_secrets(paths: Sequence[str], allow: Sequence[str], ignore_file: str) -> list[Problem]:
    if not paths:
        return []
    secrets = ignore_rules.build_rules(SECRET_NAMES)
    allowed = ignore_rules.build_rules(allow)
    return [
        Problem(
            "source",
            f"{path!r} looks like a secret and would be copied to the compute; add it to {ignore_file}, "
            "or allow it with allow_secrets",
        )
        for path in paths
        if secrets.covers(path) and not allowed.covers(path)
    ]


def _add_sizes(files: Iterable[file_digests.Found]) -> int:
    return sum(stamp[2] for _, _, stamp, _ in files)


def _find_readable(root: str, tree: file_tree.Tree, problems: list[Problem]) -> dict[str, int]:
    """Maps paths to sizes; what cannot be opened is a problem, told with the others."""
    sizes = {path: len(_encode(target)) for path, target in tree.links}
    for path, _, stamp, _ in tree.files:
        try:
            file_digests.check_readable(f"{root}/{path}")
        except OSError as error:
            problems.append(_SOURCE.describe_unreadable(path, error))
        else:
            sizes[path] = stamp[2]
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


def _read_tree(
    root: str, tree: file_tree.Tree, words: file_tree.Words, cache: stat_cache.StatCache
) -> tuple[SourceFile, ...]:
    """The entries of a tree, sorted by path; only what is not known to be unchanged is read."""
    failures = file_digests.read_files(root, tree.files)
    if failures:
        raise InvalidInput(words.describe_unreadable(path, error) for path, error in failures)
    files = [SourceFile(path, _hash_text(target), len(_encode(target)), "link") for path, target in tree.links]
    files += [
        SourceFile(path, digest.hex(), stamp[2], "executable" if is_executable else "file")
        for path, is_executable, stamp, digest in tree.files
        if digest is not None
    ]
    stat_cache.save(cache, [(stamp, digest) for _, _, stamp, digest in tree.files if digest is not None])
    # By code points, which is by the bytes of UTF-8, too.
    files.sort(key=operator.attrgetter("path"))
    return tuple(files)


class HashingReader(io.RawIOBase):
    """Reads through to ``stream`` and hashes what passes; ``digest`` gives SHA-256 in hexadecimal."""

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
