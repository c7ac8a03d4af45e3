from __future__ import annotations

import os
import pathlib
import pwd

from tools.bootstrap import layout

CHECKOUT = pathlib.Path("/checkout")


def test_the_cache_is_where_the_user_wants_it() -> None:
    """Our own variable comes before the desktop's, and that before the home folder."""
    env = {"HOME": "/home/ada"}
    assert layout.build_layout(CHECKOUT, env).cache == pathlib.Path("/home/ada/.cache/aml-infra")

    env["XDG_CACHE_HOME"] = "/var/cache"
    assert layout.build_layout(CHECKOUT, env).cache == pathlib.Path("/var/cache/aml-infra")

    env["AML_INFRA_CACHE"] = "/scratch/cache"
    assert layout.build_layout(CHECKOUT, env).cache == pathlib.Path("/scratch/cache")


def test_pulumis_folder_is_the_engines() -> None:
    """The engine goes by PULUMI_HOME, else by the user's entry in the system, whatever HOME says."""
    entry = pwd.getpwuid(os.getuid()).pw_dir

    assert layout.build_layout(CHECKOUT, {"HOME": "/home/ada"}).pulumi_home == pathlib.Path(entry, ".pulumi")
    assert layout.build_layout(CHECKOUT, {"HOME": "/", "PULUMI_HOME": "/p"}).pulumi_home == pathlib.Path("/p")
