"""The stack's settings as the engine gets them: the committed file, with an encryption salt that is never committed.

A stack whose secrets are encrypted with a passphrase needs a salt, which the engine writes into the stack's file. Each
checkout makes its own passphrase for stack `local`, so a committed salt would fit no other one, and an uncommitted one
would leave the file changed. So the engine is given a copy under `.pulumi/` (`--config-file`), composed before each
command.
"""

from __future__ import annotations

import json
import pathlib

from tools.bootstrap import cache, errors, layout

_SALT = "encryptionsalt:"
_HEADER = "# Composed from {source} before each command; edit that one.\n"


def find_source(places: layout.Layout, stack: str) -> pathlib.Path:
    """The committed file of `stack`.

    Raises:
        BootstrapError: there is none; the text names the stacks that there are.
    """
    source = places.stack_config / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        known = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in places.stack_config.glob("Pulumi.*.yaml"))
        raise errors.BootstrapError(
            f"there is no stack {stack!r}, as {source} is not there; stacks: {', '.join(known) or 'none'}"
        )
    return source


def compose(source: pathlib.Path, target: pathlib.Path, salt: str, *, keep_committed_salt: bool) -> None:
    """Writes `target`: the settings of `source`, and the salt.

    A salt in `source` belongs to somebody's own passphrase: it is kept if that one is in use, else left out.
    """
    lines = source.read_text().splitlines(keepends=True)
    committed = find_salt("".join(lines))
    body = "".join(line for line in lines if not line.startswith(_SALT))
    if keep_committed_salt and committed:
        salt = committed
    if body and not body.endswith("\n"):
        body += "\n"
    end = f"{_SALT} {salt}\n" if salt else ""
    with cache.make_file(target, mode=0o600) as draft:
        draft.write_text(_HEADER.format(source=source.name) + body + end)


def find_salt(text: str) -> str:
    """The salt that a stack's file holds; empty if none."""
    for line in text.splitlines():
        if line.startswith(_SALT):
            return line[len(_SALT) :].strip()
    return ""


def read_salt(file: pathlib.Path) -> str:
    """As `find_salt`, of a file that need not be there."""
    try:
        return find_salt(file.read_text())
    except OSError:
        return ""


def read_state_salt(state: pathlib.Path, project: str, stack: str) -> str:
    """The salt that the state of a stack in a file backend was encrypted with; empty if there is none."""
    try:
        checkpoint = json.loads((state / ".pulumi" / "stacks" / project / f"{stack}.json").read_text())
        salt = checkpoint["checkpoint"]["latest"]["secrets_providers"]["state"]["salt"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return salt if isinstance(salt, str) else ""
