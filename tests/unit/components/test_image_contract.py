from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Mapping

import pytest

import aml_infra

SCRIPT = pathlib.Path(aml_infra.__file__).parent / "components" / "image_contract.sh"
SHELL = shutil.which("sh") or "/bin/sh"

# Answers as an interpreter of the version in its first line would: the check by its exit code, the version in words.
PYTHON = """#!{shell}
case "$2" in
    *sys.exit*) exit {code} ;;
    *) echo {version} ;;
esac
"""


class Image:
    """What the script sees of an image: the commands on PATH, and the file that names the system."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.commands = folder / "bin"
        self.commands.mkdir()
        self.release = folder / "os-release"

    def write(self, name: str, text: str) -> None:
        path = self.commands / name
        path.write_text(text)
        path.chmod(0o755)

    def write_release(self, system: str, version: str) -> None:
        self.release.write_text(f'PRETTY_NAME="The {system}"\nID={system}\nVERSION_ID="{version}"\n')

    def write_python(self, name: str, version: str, *, ok: bool) -> None:
        self.write(name, PYTHON.format(shell=SHELL, code=0 if ok else 1, version=version))

    def check(self, dependencies: str = "user-managed") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SHELL, str(SCRIPT), dependencies, "v1", str(self.release)],
            env={"PATH": str(self.commands)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def image(tmp_path: pathlib.Path) -> Image:
    """An image that meets the contract."""
    image = Image(tmp_path)
    image.write_release("debian", "12")
    image.write_python("python3", "3.11", ok=True)
    image.write("timeout", "")
    return image


def test_a_good_image_passes(image: Image) -> None:
    """Nothing is reported, and the build goes on."""
    result = image.check()

    assert (result.returncode, result.stdout, result.stderr) == (0, "image contract: met\n", "")


@pytest.mark.parametrize(
    ("system", "version"), [("ubuntu", "16.04"), ("ubuntu", "24.04"), ("debian", "9"), ("debian", "13"), ("debian", "")]
)
def test_systems_that_are_new_enough(image: Image, system: str, version: str) -> None:
    """Ubuntu >= 16.04 and Debian >= 9, whose testing has no number."""
    image.write_release(system, version)

    assert image.check().returncode == 0


@pytest.mark.parametrize(
    ("system", "version"), [("ubuntu", "14.04"), ("ubuntu", ""), ("debian", "8"), ("alpine", "3.20"), ("", "")]
)
def test_other_systems_are_refused(image: Image, system: str, version: str) -> None:
    """The message names the system found and those allowed."""
    image.write_release(system, version)

    result = image.check()

    assert result.returncode == 65
    assert f"is The {system} ({system} {version}); start from Ubuntu >= 16.04 or Debian >= 9" in result.stderr


def test_an_unknown_system_is_refused(image: Image) -> None:
    """An image need not have an os-release file."""
    image.release.unlink()

    assert "distribution is not known" in image.check().stderr


def test_python_may_be_called_either_way(image: Image) -> None:
    """An old `python` beside a good `python3` is no problem."""
    image.write_python("python", "2.7", ok=False)

    assert image.check().returncode == 0


@pytest.mark.parametrize(
    ("version", "message"), [("2.7", "Python is too old (2.7)"), ("3.4", "Python is too old (3.4)")]
)
def test_an_old_python_is_refused(image: Image, version: str, message: str) -> None:
    """The version found is named."""
    image.write_python("python3", version, ok=False)

    assert message in image.check().stderr


def test_conda_is_needed_only_for_environments_on_top(image: Image) -> None:
    """user_managed_dependencies decides whether anyone looks for it."""
    assert image.check("user-managed").returncode == 0
    assert "Conda >= 4.5 is missing" in image.check("conda").stderr


@pytest.mark.parametrize(("version", "code"), [("4.5.0", 0), ("24.1.2", 0), ("4.4.11", 65), ("nonsense", 65)])
def test_the_version_of_conda_counts(image: Image, version: str, code: int) -> None:
    """Conda >= 4.5; old ones print their version to standard error."""
    image.write("conda", f"#!{SHELL}\necho conda {version} >&2\n")

    assert image.check("conda").returncode == code


def test_everything_that_is_missing_is_named_at_once(image: Image) -> None:
    """One build is enough to learn all there is to fix."""
    image.write_release("alpine", "3.20")
    for name in ("python3", "timeout"):
        (image.commands / name).unlink()

    lines = image.check("conda").stderr.splitlines()

    assert [_find_subject(line) for line in lines] == ["distribution", "Python", "Conda", "timeout"]
    assert all(line.startswith("image contract: ") for line in lines)


def _find_subject(line: str) -> str:
    subjects: Mapping[str, str] = {word: word for word in ("distribution", "Python", "Conda", "timeout")}
    return next(word for word in subjects if word in line)
