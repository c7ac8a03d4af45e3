"""Makes a machine ready to run the project: `python3 -m tools.bootstrap ensure`.

It runs under the system's Python before anything is installed, so it uses the standard library only.

Each thing that is needed is a *step* (see `steps.py`). A step answers whether the thing is there (`inspect`: cheap, and
changes nothing) and makes it be there (`provide`). Every step prefers, in this order, what the machine already has, the
official release, and a build from source, and says in one line which of them it took and why. `ensure` runs what is
missing, `doctor` only shows what was inspected.

What is made is kept outside the checkout, in versioned folders of one cache, and moved there when it is complete: an
interrupted bootstrap is simply run again. Only three things are put elsewhere, because their users look for them there:
the virtual environment (`.venv`), the docker-build plugin (Pulumi's plugin folder), buildx (Docker's plugin folder).

Limits: only as root on Debian and Ubuntu is Docker installed, and the base image made where no registry answers.
Windows is not supported.
"""
