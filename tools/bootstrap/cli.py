"""The command line: `python3 -m tools.bootstrap <command>`."""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from tools.bootstrap import (
    cache,
    commands,
    doctor,
    environment,
    errors,
    layout,
    progress,
    release,
    stack,
    step,
    steps,
)

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
_FOREIGN = ("VIRTUAL_ENV", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX")
"""Variables of another Python environment, in which the user may be; they would mislead uv and the engine."""
_SLOW = ("PYTHONDONTWRITEBYTECODE",)
"""Python would compile all packages again in each of the many processes of a command: of a container, most often."""
_INTERRUPTED = 130


def main(arguments: Sequence[str], user_env: Mapping[str, str] = os.environ) -> int:
    """Runs a command; gives its exit code, unless it becomes another program."""
    options = _build_parser().parse_args(arguments)
    env = clean(user_env)
    try:
        return _run(options, env)
    except errors.BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on", file=sys.stderr)
        return _INTERRUPTED


def clean(user_env: Mapping[str, str]) -> dict[str, str]:
    """The user's environment, less what would make the project's commands go wrong or take long."""
    return {name: value for name, value in user_env.items() if name not in (*_FOREIGN, *_SLOW)}


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tools.bootstrap", description="Makes this machine ready.")
    parser.add_argument("--stack", default=environment.LOCAL_STACK, help="the stack whose environment is prepared")
    parser.add_argument("--only", default="", help="steps, separated by commas; default: all (see `doctor`)")
    commands_parser = parser.add_subparsers(dest="command", required=True)
    commands_parser.add_parser("ensure", help="install, build and start what is missing")
    commands_parser.add_parser("env", help="print the prepared environment for a shell to evaluate")
    commands_parser.add_parser("doctor", help="show what is there, what is missing and what is too old")
    run = commands_parser.add_parser("exec", help="ensure, then run a command in the prepared environment")
    run.add_argument("argv", nargs=argparse.REMAINDER, help="the command, after --")
    for action, words in stack.ACTIONS.items():
        each = commands_parser.add_parser(action, help=f"ensure, then `pulumi {' '.join(words)}`")
        each.add_argument("extra", nargs=argparse.REMAINDER, help="further options for pulumi")
    return parser


def _run(options: argparse.Namespace, env: dict[str, str]) -> int:
    places = layout.build_layout(_CHECKOUT, env)
    runner = commands.Commands(env)
    tools = step.Tools(
        places=places,
        commands=runner,
        reporter=progress.Reporter(sys.stderr),
        releases=release.Releases(places.work),
        book=cache.VersionBook(places, runner),
    )
    made = steps.build_steps(tools)
    only = _parse_only(options.only, options.command, options.stack, made)
    if options.command == "output":
        # It reads the state alone, also where Docker is not there.
        only = [name for name in only if name in ("uv", "venv", "engine")]
    if options.command == "doctor":
        lines, healthy = doctor.build_table(made)
        print("\n".join(lines))
        return 0 if healthy else 1
    if options.command != "env":
        steps.ensure(tools, made, only)
    environment.prepare(places, env, options.stack)
    changes = environment.build_changes(places, made, env, options.stack)
    if options.command == "env":
        print(environment.build_exports(changes), end="")
        return 0
    if options.command == "ensure":
        return 0
    prepared = env | changes
    if options.command == "exec":
        argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
        if not argv:
            raise errors.BootstrapError("exec needs a command, as in `exec -- pytest tests/unit`")
    else:
        inside = commands.Commands(prepared)
        chosen = stack.Stack(
            options.stack, places=places, runner=inside, reporter=tools.reporter, user_env=env
        )  # fmt: skip
        extra = options.extra[1:] if options.extra[:1] == ["--"] else options.extra
        argv = chosen.build_command(options.command, extra)
    runner.replace(argv, prepared)
    return 0


def _parse_only(text: str, command: str, stack_name: str, made: steps.Steps) -> list[str]:
    """The steps to run: those named, else all that the command and the stack need."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in made.names]
    if unknown:
        raise errors.BootstrapError(f"--only: unknown step {', '.join(unknown)}; steps are {', '.join(made.names)}")
    if names:
        return names
    # Images of other stacks are built where their base images can be pulled; tests are run by `exec`.
    unwanted = {
        *([] if stack_name == environment.LOCAL_STACK else [made.base_image.name]),
        *([] if command == "exec" else [made.registry.name, made.azurite.name, made.cluster.name]),
        # Its suite has a target of its own, which names it.
        made.trainer.name,
    }
    return [name for name in made.names if name not in unwanted]
