from __future__ import annotations

import builtins
import hashlib
import io
import os
import pathlib
import tarfile
from collections.abc import Mapping
from typing import Any

import pytest

from aml_infra.errors import InvalidInput, SourceChanged
from aml_infra.source import Snapshot, take_data_snapshot, take_snapshot


def write_tree(folder: pathlib.Path, files: Mapping[str, str]) -> pathlib.Path:
    """Writes ``files`` below ``folder``."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def list_paths(snapshot: Snapshot) -> list[str]:
    """The paths in a snapshot."""
    return [file.path for file in snapshot.files]


def read_problems(folder: pathlib.Path) -> list[str]:
    """The problems that taking a snapshot of ``folder`` tells."""
    with pytest.raises(InvalidInput) as caught:
        take_snapshot(folder, max_bytes=1000)
    return [str(problem) for problem in caught.value.problems]


def test_digest_counts_neither_times_nor_the_place(tmp_path: pathlib.Path) -> None:
    """Two copies of a tree in two folders, at two times, are the same snapshot."""
    first = write_tree(tmp_path / "first", {"train.py": "x", "lib/a.py": "y"})
    second = write_tree(tmp_path / "second", {"lib/a.py": "y", "train.py": "x"})
    os.utime(second / "train.py", (1, 1))

    assert take_snapshot(first).digest == take_snapshot(second).digest


@pytest.mark.parametrize("change", ["content", "name", "mode", "added"])
def test_digest_counts_content_name_and_mode(tmp_path: pathlib.Path, change: str) -> None:
    """Each of them makes another digest."""
    folder = write_tree(tmp_path, {"train.py": "x"})
    before = take_snapshot(folder).digest
    match change:
        case "content":
            (folder / "train.py").write_text("y")
        case "name":
            (folder / "train.py").rename(folder / "main.py")
        case "mode":
            (folder / "train.py").chmod(0o755)
        case _:
            (folder / "empty").write_text("")

    assert take_snapshot(folder).digest != before


def test_version_control_environments_and_caches_are_never_part(tmp_path: pathlib.Path) -> None:
    """Even with no ignore file, and whatever a virtual environment is called."""
    folder = write_tree(
        tmp_path,
        {
            "train.py": "x",
            ".git/config": "",
            "env/pyvenv.cfg": "",
            "env/lib/x.py": "",
            ".venv/x.py": "",
            "lib/__pycache__/x.pyc": "",
            ".ipynb_checkpoints/x": "",
        },
    )

    assert list_paths(take_snapshot(folder)) == ["train.py"]


def test_amlignore_decides_alone(tmp_path: pathlib.Path) -> None:
    """With an .amlignore, .gitignore does not count, as with Azure's own tools."""
    folder = write_tree(
        tmp_path, {".amlignore": "data/\n", ".gitignore": "*.py\n", "train.py": "", "data/x": "", "sub/.gitignore": "*"}
    )

    assert list_paths(take_snapshot(folder)) == ["train.py"]


def test_gitignore_rules_are_gits(tmp_path: pathlib.Path) -> None:
    """Negation, anchors, ** and nested files mean what they mean to git."""
    folder = write_tree(
        tmp_path,
        {
            ".gitignore": "*.log\n!keep.log\n/top.txt\na/**/z.txt\nout/\n",
            "x.log": "",
            "keep.log": "",
            "top.txt": "",
            "sub/top.txt": "",
            "a/b/c/z.txt": "",
            "out/model": "",
            "sub/.gitignore": "!x.log\nown.txt\n",
            "sub/x.log": "",
            "sub/own.txt": "",
        },
    )

    assert list_paths(take_snapshot(folder)) == ["keep.log", "sub/top.txt", "sub/x.log"]


def test_likely_secrets_are_refused_all_at_once(tmp_path: pathlib.Path) -> None:
    """Each is named, with the fix; a template is no secret."""
    folder = write_tree(tmp_path, {".env": "", "keys/id_rsa": "", "x.pem": "", ".env.example": "", "train.py": ""})

    problems = read_problems(folder)

    assert [problem.split("'")[1] for problem in problems] == [".env", "keys/id_rsa", "x.pem"]
    assert "add it to .amlignore" in problems[0]


def test_secrets_can_be_allowed_by_name(tmp_path: pathlib.Path) -> None:
    """What the user allows is part of the snapshot."""
    folder = write_tree(tmp_path, {"public.pem": "", "train.py": ""})

    assert list_paths(take_snapshot(folder, allow_secrets=["public.pem"])) == ["public.pem", "train.py"]


@pytest.mark.parametrize("line", ["!", "x.pem\\", "[z-a]", "[[:letters:]]", "\ud800"])
def test_a_pattern_that_matches_nothing_allows_nothing(tmp_path: pathlib.Path, line: str) -> None:
    """The secret is refused, and the patterns beside it count."""
    folder = write_tree(tmp_path, {"x.pem": "", "y.pem": "", "train.py": ""})

    with pytest.raises(InvalidInput, match=r"'x\.pem' looks like a secret") as caught:
        take_snapshot(folder, allow_secrets=[line, "y.pem"])
    assert len(caught.value.problems) == 1


def test_a_folder_of_secrets_is_allowed_with_what_is_in_it(tmp_path: pathlib.Path) -> None:
    """But for the file that a later pattern takes back."""
    folder = write_tree(tmp_path, {"keys/a.pem": "", "keys/b.pem": "", "train.py": ""})

    with pytest.raises(InvalidInput, match=r"'keys/b\.pem' looks like a secret") as caught:
        take_snapshot(folder, allow_secrets=["keys/", "!b.pem"])
    assert len(caught.value.problems) == 1


def test_missing_and_empty_folders_are_refused(tmp_path: pathlib.Path) -> None:
    """The folder is named, and what to do."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(InvalidInput, match="source: is empty"):
        take_snapshot("")
    assert "does not exist" in read_problems(tmp_path / "nowhere")[0]
    assert "holds no file" in read_problems(tmp_path / "empty")[0]


def test_links_that_leave_the_folder_are_refused(tmp_path: pathlib.Path) -> None:
    """A link inside is kept as a link."""
    folder = write_tree(tmp_path / "src", {"a/x": ""})
    (folder / "inside").symlink_to("a/x")
    assert [file.kind for file in take_snapshot(folder).files] == ["file", "link"]
    (folder / "outside").symlink_to("../other")
    (folder / "absolute").symlink_to("/etc/passwd")

    assert len(read_problems(folder)) == 2


def test_large_snapshots_are_refused_with_the_largest_files(tmp_path: pathlib.Path) -> None:
    """The limit, the size and the largest files are in the error."""
    folder = write_tree(tmp_path, {"data.bin": "x" * 2000, "train.py": ""})

    (problem,) = read_problems(folder)

    assert "largest: data.bin" in problem


def test_summary_names_files_and_folds_big_trees(tmp_path: pathlib.Path) -> None:
    """A small tree is told file by file; a big one by folder, and an edit shows in its folder only."""
    folder = write_tree(
        tmp_path, {"train.py": "", **{f"a/{i}": "" for i in range(5)}, **{f"b/{i}": "" for i in range(5)}}
    )
    assert len(take_snapshot(folder).summarize()) == 11

    before = take_snapshot(folder).summarize(limit=4)
    (folder / "a" / "3").write_text("x")
    after = take_snapshot(folder).summarize(limit=4)

    assert list(before) == ["a/", "b/", "train.py"]
    assert [path for path in before if before[path] != after[path]] == ["a/"]


def test_tar_holds_content_mode_and_links(tmp_path: pathlib.Path) -> None:
    """What is shipped is what was hashed, without owners or times."""
    folder = write_tree(tmp_path, {"sub/run.sh": "echo"})
    (folder / "sub/run.sh").chmod(0o700)
    (folder / "link").symlink_to("sub/run.sh")
    stream = io.BytesIO()

    with tarfile.open(fileobj=stream, mode="w") as tar:
        take_snapshot(folder).add_to(tar, "work")

    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        members = {member.name: member for member in tar}
        script = tar.extractfile("work/sub/run.sh")
        assert script is not None
        assert script.read() == b"echo"
    assert list(members) == ["work", "work/link", "work/sub", "work/sub/run.sh"]
    assert members["work/sub/run.sh"].mode == 0o755
    assert members["work/sub/run.sh"].mtime == 0
    assert members["work/link"].linkname == "sub/run.sh"


@pytest.mark.parametrize("text", ["yyyy", "y", "yyyyyyy"])
def test_a_file_that_changes_before_it_is_shipped_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    """Other content, shorter or longer: none is shipped under the old fingerprint."""
    folder = write_tree(tmp_path, {"train.py": "xxxx"})
    snapshot = take_snapshot(folder)
    (folder / "train.py").write_text(text)

    with tarfile.open(fileobj=io.BytesIO(), mode="w") as tar, pytest.raises(SourceChanged):
        snapshot.add_to(tar, "")


def test_digest_of_a_file_is_its_sha256(tmp_path: pathlib.Path) -> None:
    """So that anyone can check it with the usual tools."""
    (file,) = take_snapshot(write_tree(tmp_path, {"a": "content"})).files

    assert file.digest == hashlib.sha256(b"content").hexdigest()


WHITELIST_TREE = {"a.py": "", "b.txt": "", "s/a.py": "", "s/b.txt": "", "s/t/c.py": "", "s/t/d.txt": ""}


@pytest.mark.parametrize("name", [".gitignore", ".amlignore"])
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("*\n!*/\n!*.py\n", ["a.py", "s/a.py", "s/t/c.py"]),
        ("*\n!*.py\n", ["a.py"]),
        ("*\n!s/\n!*.py\n", ["a.py", "s/a.py"]),
        ("/*\n!/s/\n/s/*\n!/s/t/\n", ["s/t/c.py", "s/t/d.txt"]),
        ("**\n!**/\n!*.txt\n", ["b.txt", "s/b.txt", "s/t/d.txt"]),
        ("s/**\n!s/a.py\n", ["a.py", "b.txt", "s/a.py"]),
        ("s/**\n!s/**/\n!c.py\n", ["a.py", "b.txt", "s/t/c.py"]),
        ("s/*\n!s/t\ns/t/*.py\n", ["a.py", "b.txt", "s/t/d.txt"]),
        ("*/\n!s\n", ["a.py", "b.txt", "s/a.py", "s/b.txt"]),
        ("s/**/\n", ["a.py", "b.txt", "s/a.py", "s/b.txt"]),
        ("s/\n!s/a.py\n", ["a.py", "b.txt"]),
    ],
)
def test_rules_that_take_back_are_gits(tmp_path: pathlib.Path, name: str, rules: str, expected: list[str]) -> None:
    """A rule for a folder says nothing of what is in it; ``expected`` is what git itself lists."""
    folder = write_tree(tmp_path, {**WHITELIST_TREE, name: rules})

    assert list_paths(take_snapshot(folder)) == expected


@pytest.mark.parametrize(
    ("rules", "ignored"),
    [
        ("\ufeffx\n", "x"),
        ("x\r\ny\r\n", "x"),
        ("a\fb\n", "a\fb"),
        ("a\u2028b\n", "a\u2028b"),
        ("a\rb\n", "a\rb"),
        ("x\t\n", "x\t"),
        ("x \n", "x"),
        ("x\\ \n", "x "),
        ("x\\\t\n", "x\t"),
        ("!\nx\n", "x"),
        ("foo\\\nx\n", "x"),
        ("[z-a]\nx\n", "x"),
        ("x\n!", "x"),
    ],
)
def test_an_ignore_file_is_read_as_git_reads_it(tmp_path: pathlib.Path, rules: str, ignored: str) -> None:
    """Byte order mark, line ends, trailing blanks, and lines that match nothing."""
    names = ["a", "b", "keep", "x", "x\t", "x ", "a\fb", "a\u2028b", "a\rb"]
    names.remove(ignored)
    folder = write_tree(tmp_path, dict.fromkeys([*names, ignored], ""))
    (folder / ".gitignore").write_bytes(rules.encode())

    assert sorted(list_paths(take_snapshot(folder))) == sorted(names)


def test_a_link_in_a_gitignores_place_is_not_followed(tmp_path: pathlib.Path) -> None:
    """As git follows none; an .amlignore may be a link."""
    rules = write_tree(tmp_path, {"rules": "*.pem\n", "src/a.py": "", "src/x.pem": ""}) / "rules"
    folder = tmp_path / "src"
    (folder / ".gitignore").symlink_to(rules)
    (problem,) = read_problems(folder)
    assert "add it to .amlignore" in problem

    (folder / ".amlignore").symlink_to(rules)

    assert list_paths(take_snapshot(folder)) == ["a.py"]


@pytest.mark.parametrize("name", [".gitignore", ".amlignore"])
def test_a_pipe_in_an_ignore_files_place_is_not_waited_for(tmp_path: pathlib.Path, name: str) -> None:
    """It says nothing; git does not wait for it either."""
    (tmp_path / "a.py").write_text("x")
    os.mkfifo(tmp_path / name)

    assert [file.path for file in take_snapshot(tmp_path).files] == ["a.py"]


def test_names_that_are_not_utf8_are_refused_all_at_once(tmp_path: pathlib.Path) -> None:
    """Each is named, with the fix; one that is ignored is no problem."""
    folder = write_tree(tmp_path, {"train.py": "", ".gitignore": "*.bin\n"})
    for name in (b"caf\xe9.py", b"d\xe9.bin"):
        (folder / os.fsdecode(name)).touch()
    (folder / os.fsdecode(b"f\xe9")).mkdir()

    assert read_problems(folder) == [
        "source: the name of 'caf\\udce9.py' is not UTF-8; rename it or ignore it",
        "source: the name of 'f\\udce9' is not UTF-8; rename it or ignore it",
    ]


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Makes files and folders unreadable, for root too, which the file system would let in."""
    real_open, real_open_file, real_scandir = builtins.open, os.open, os.scandir

    def check(path: object) -> None:
        if os.path.basename(str(path)) in names:
            raise PermissionError(13, "Permission denied", str(path))

    def open_stream(path: Any, *args: Any, **options: Any) -> Any:
        check(path)
        return real_open(path, *args, **options)

    def open_file(path: Any, *args: Any, **options: Any) -> int:
        check(path)
        return real_open_file(path, *args, **options)

    def scan(path: Any) -> Any:
        check(path)
        return real_scandir(path)

    monkeypatch.setattr(builtins, "open", open_stream)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "scandir", scan)


def test_what_cannot_be_read_is_refused_all_at_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders are named beside the other problems, with the fix."""
    folder = write_tree(tmp_path, {"a.py": "", "closed/x": "", "sub/b.py": "", "c.py": "", "x.pem": ""})
    refuse(monkeypatch, "a.py", "b.py", "closed")

    problems = read_problems(folder)

    assert sorted(problem.split("'")[1] for problem in problems) == ["a.py", "closed", "sub/b.py", "x.pem"]
    assert "source: 'a.py' cannot be read (Permission denied); make it readable, or ignore it" in problems


@pytest.mark.parametrize("name", [".gitignore", ".amlignore"])
def test_an_ignore_file_that_cannot_be_read_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is not as if there were none, and what it would have ignored is not told."""
    folder = write_tree(tmp_path, {name: "*.pem\n", "x.pem": "", "a.py": ""})
    refuse(monkeypatch, name)

    assert read_problems(folder) == [f"source: {name!r} cannot be read (Permission denied); make it readable"]


@pytest.mark.parametrize("others", [{}, {"x.pem": ""}], ids=["alone", "beside another problem"])
def test_a_file_that_vanishes_meanwhile_is_a_problem(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, others: Mapping[str, str]
) -> None:
    """Between the listing and the reading, whether or not something else is wrong."""
    folder = write_tree(tmp_path, {"a.py": "", "b.py": "", **others})
    real = os.open

    def open_file(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(".py"):
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", open_file)

    assert sorted(problem.split("'")[1] for problem in read_problems(folder)) == ["a.py", "b.py", *others]


def test_digest_of_a_snapshot_never_changes(tmp_path: pathlib.Path) -> None:
    """The digest is part of the fingerprint of every run that was ever made."""
    folder = write_tree(tmp_path, {"train.py": "x", "lib/é.py": "y", "run.sh": "echo"})
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("lib/é.py")

    assert take_snapshot(folder).digest == "0a2c93a0f01bbc4dd56784f0df05cf7f4da61ceacd13d1c18526b632aeb5b470"


ODD_NAMES = (
    "a\nb.py",
    "back\\slash.py",
    "-dash.py",
    "--",
    " ",
    "*",
    "\U0001f600.py",
    "\uffff.py",
    "caf\u00e9.py",
    "cafe\u0301.py",
    "a/b.py",
    "a-b.py",
    "a.py",
)


def test_odd_names_are_kept_as_they_are_in_the_order_of_their_bytes(tmp_path: pathlib.Path) -> None:
    """Composed and decomposed letters are two names; whatever is shipped has the name that it had."""
    folder = write_tree(tmp_path, dict.fromkeys(ODD_NAMES, "x"))
    stream = io.BytesIO()

    snapshot = take_snapshot(folder)
    with tarfile.open(fileobj=stream, mode="w") as tar:
        snapshot.add_to(tar, "")

    assert list_paths(snapshot) == sorted(ODD_NAMES, key=str.encode)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        assert {member.name for member in tar if member.isfile()} == set(ODD_NAMES)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("*.py\n", ["a\nb/c.txt", "x\n", "x.py\n"]),
        ("x\nc.txt\n", ["x\n", "x.py\n"]),
        ("*\n!x*\n", ["x\n", "x.py\n"]),
        ("a?b\n", ["x\n", "x.py\n"]),
    ],
)
def test_a_line_feed_in_a_name_is_a_character_as_any_other(
    tmp_path: pathlib.Path, rules: str, expected: list[str]
) -> None:
    """``expected`` is what git itself lists."""
    folder = write_tree(tmp_path, {".gitignore": rules, **dict.fromkeys(["a\nb/c.txt", "x\n", "x.py\n"], "")})

    assert list_paths(take_snapshot(folder)) == expected


@pytest.mark.parametrize(
    "path", ["a\nb/id_rsa", ".azure/a/b", "keys/x.pem/readme", ".aws/credentials", "client_secret_1.json"]
)
def test_secrets_are_found_by_each_part_of_a_path(tmp_path: pathlib.Path, path: str) -> None:
    """A folder's name tells of all that is in it."""
    (problem,) = read_problems(write_tree(tmp_path, {path: "", "train.py": ""}))

    assert "looks like a secret" in problem


@pytest.mark.parametrize(
    "links",
    [
        {"here": ".", "out": "here/here/../../x"},
        {"hidden/back": "../..", "out": "hidden/back"},
        {"first": "second", "second": "/etc/passwd"},
    ],
)
def test_links_that_leave_through_other_links_are_refused(tmp_path: pathlib.Path, links: Mapping[str, str]) -> None:
    """Though each, as it is written, seems to stay; a link that is ignored leads out as well as any other."""
    folder = write_tree(tmp_path / "src", {"a.py": "", ".gitignore": "hidden\n"})
    for name, target in links.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(target)

    problems = read_problems(folder)

    assert all("outside the folder" in problem for problem in problems)
    assert {problem.split("'")[1] for problem in problems} == {
        name for name in links if name in ("out", "first", "second")
    }


def test_a_link_in_circles_stays_inside(tmp_path: pathlib.Path) -> None:
    """It leads nowhere, which is no harm."""
    folder = write_tree(tmp_path, {"a.py": ""})
    (folder / "loop").symlink_to("loop")

    assert list_paths(take_snapshot(folder)) == ["a.py", "loop"]


def test_a_virtual_environment_in_data_is_data(tmp_path: pathlib.Path) -> None:
    """In data nothing is ignored and nothing is a secret; a link inside is kept."""
    files = {".env": "", ".gitignore": "*\n", "env/pyvenv.cfg": "", ".git/config": "", "x.pyc": "", "a.csv": "1,2"}
    folder = write_tree(tmp_path, files)
    (folder / "latest").symlink_to("a.csv")

    snapshot = take_data_snapshot(folder)

    assert list_paths(snapshot) == sorted([*files, "latest"])
    assert snapshot.root == folder


@pytest.mark.parametrize("name", ["a.csv", "latest"])
def test_data_may_be_a_single_file(tmp_path: pathlib.Path, name: str) -> None:
    """Its folder is the root, and its neighbours are not part of it; the path may be a link, as that of a folder."""
    folder = write_tree(tmp_path, {"a.csv": "1,2", "b.csv": ""})
    (folder / "latest").symlink_to("a.csv")

    snapshot = take_data_snapshot(folder / name)

    assert snapshot.root == folder
    assert [(file.path, file.kind, file.size) for file in snapshot.files] == [(name, "file", 3)]
    assert list(snapshot.summarize(10)) == [name]


def make_pipe(folder: pathlib.Path) -> None:
    """A pipe, which is neither a file, a folder nor a link."""
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "is empty; give a folder or a file"),
        ("nowhere", "does not exist, or cannot be reached (No such file or directory); give a folder or a file"),
        ("empty", "holds no file; add the data"),
        ("pipe", "'pipe' is neither a file, a folder nor a link; remove it"),
        ("odd", "link 'odd/out' leads to"),
    ],
)
def test_data_that_cannot_be_used_is_refused(tmp_path: pathlib.Path, path: str, expected: str) -> None:
    """The caller puts the input's name in front of the path; no ignore file is offered as a way out."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "out").symlink_to("../empty")
    make_pipe(tmp_path)

    with pytest.raises(InvalidInput) as caught:
        take_data_snapshot(tmp_path / path if path else "")

    (problem,) = caught.value.problems
    assert problem.path == ""
    assert expected.replace("odd/", "") in problem.message
    assert "ignore" not in problem.message
