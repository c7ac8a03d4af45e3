"""What a step is; `steps.py` lists them all."""

from __future__ import annotations

import abc
import dataclasses

from tools.bootstrap import cache, commands, layout, progress, release


@dataclasses.dataclass(frozen=True)
class Finding:
    """What `inspect` saw: `text` is where the thing is, or why it will not do; `fix` is what a person can do then."""

    ready: bool
    text: str
    version: str = ""
    fix: str = "run `make up`, or another target that needs it: it is installed then"


@dataclasses.dataclass(frozen=True)
class Tools:
    """What steps work with."""

    places: layout.Layout
    commands: commands.Commands
    reporter: progress.Reporter
    releases: release.Releases
    book: cache.VersionBook


class Step(abc.ABC):
    """One thing that the project needs on this machine."""

    name: str
    only_for_tests = False

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @abc.abstractmethod
    def inspect(self) -> Finding:
        """Looks whether the thing is there, in a right version. Cheap, and changes nothing."""

    @abc.abstractmethod
    def provide(self) -> None:
        """Makes it be there; called only after `inspect` found that it is not.

        Raises:
            BootstrapError: it cannot be had; the text names the fix.
        """

    def find_obstacle(self) -> str:
        """Why `provide` cannot work on this machine, if that is known beforehand; asked before anything is begun."""
        return ""

    def say(self, version: str, text: str) -> None:
        """Reports this step's line."""
        self.tools.reporter.say(self.name, version, text)
