from __future__ import annotations

import os
import pathlib
import sys

import pytest

from tools.bootstrap import commands, errors


@pytest.fixture
def runner() -> commands.Commands:
    """The real thing; these tests run this Python only."""
    return commands.Commands(os.environ)


def test_an_error_holds_all_that_was_printed(runner: commands.Commands) -> None:
    """Standard output and standard error are both in the text, with the command line and the exit code."""
    script = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"

    with pytest.raises(errors.CommandError) as caught:
        runner.run([sys.executable, "-c", script])

    text = str(caught.value)
    assert "failed with exit code 3:\nout\nerr" in text
    assert text.startswith(f"`{sys.executable} -c ")


def test_lines_are_heard_as_they_come(runner: commands.Commands) -> None:
    """Progress can be shown from what a tool prints."""
    heard: list[str] = []

    runner.run([sys.executable, "-c", "print('one'); print('two')"], on_line=heard.append)

    assert heard == ["one", "two"]


def test_a_time_limit_ends_the_command(runner: commands.Commands) -> None:
    """A command that hangs is ended and has the code of `timeout`."""
    result = runner.attempt([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.1)

    assert result.code == 124
    assert result.last_line == "no end after 0.1 s"


def test_a_missing_program_is_a_result(runner: commands.Commands, tmp_path: pathlib.Path) -> None:
    """A program that is not there has the code that a shell gives."""
    result = runner.attempt([tmp_path / "nothing"])

    assert result.code == 127
    assert "nothing: No such file" in result.last_line


def test_becoming_a_program_that_is_not_there(runner: commands.Commands) -> None:
    """The error names what was asked for."""
    with pytest.raises(errors.BootstrapError, match="there is no program 'no-such-tool'"):
        runner.replace(["no-such-tool"], {"PATH": "/nowhere"})
