"""Bad input through the real engine, and odd input that is good, through the real Docker daemon."""

from __future__ import annotations

import pathlib

from tests.integration.projects import Project

PROGRAM = r"""
import aml_infra

image = aml_infra.TrainingImageArgs(dockerfile="nowhere/Dockerfile", build_args={"A B": "x"}, platform=5)
compute = aml_infra.LocalDockerArgs(data_folder=b"runs")
train = aml_infra.TrainingJobArgs(
    source="../nowhere",
    command="python train.py",
    image=image,
    compute=compute,
    environment_variables={"$(touch x)": "x", "TOKEN": 5},
    inputs={"../a": "/etc"},
    cpus="2",
    memory_gb=-1,
    experiment="a\0b",
    retries=True,
)
aml_infra.validate({"image": image, "docker": compute, "train": train})
image = aml_infra.TrainingImage("image", image)
"""

TOLD = [
    "image.platform: is 5, an int; allowed is text, as in '5'",
    "image.dockerfile: '{folder}/nowhere/Dockerfile' does not exist; give the path of a Dockerfile, or its text",
    "image.build_args['A B']: is not a name for ARG; allowed are letters, digits and _, no digit first",
    "docker.data_folder: is b'runs', a bytes; allowed is text or a path",
    "train.command: is 'python train.py', a str; allowed is a list of texts, as in ['python', 'train.py']",
    "train.environment_variables['TOKEN']: is an int; allowed is text",
    "train.cpus: is '2', a str; allowed is a number",
    "train.experiment: holds a NUL character, which nothing here can be given; remove it",
    "train.retries: is True, a bool; allowed is a whole number",
    ("train.inputs['../a']: is not a name for an input; allowed are letters, digits and _, not starting with a digit"),
    (
        "train.source: '{parent}/nowhere' does not exist, or cannot be reached; give the folder that holds the "
        "training code"
    ),
    "train.memory_gb: is -1; allowed is 0.006 to 24576 GB, or leave it out for no limit",
]

ODD = (
    "$(touch x)",
    "`touch x`",
    "; touch x",
    "&& touch x",
    "| tee x",
    "> x",
    "${HOME}",
    "$0",
    "*",
    "../../etc/passwd",
    "--help",
    "",
    " ",
    "'\"\\",
    "a=b,c:d",
    "caf\u00e9 \U0001f600 \u202e",
    "x" * 20_000,
)
"""Words that a shell would make something else of."""


def test_all_bad_arguments_are_told_at_preview(project: Project) -> None:
    """Each with its path and the fix, without a traceback; and nothing is there afterwards."""
    (project.folder / "__main__.py").write_text(PROGRAM)

    output = project.pulumi("preview", fails=True)

    places = {"folder": project.folder, "parent": project.folder.parent}
    expected = [line.format(**places) for line in TOLD]
    lines = [line.strip().removeprefix("- ") for line in output.splitlines()]
    assert [line for line in lines if line.startswith(("image.", "docker.", "train."))] == expected
    assert f"{len(TOLD)} problems in the program's input; nothing was created" in output
    assert "Traceback" not in output
    state = project.export()
    assert state.get("resources", []) == []
    assert project.containers() == []


def test_what_a_shell_would_make_something_else_of_reaches_the_script_as_it_is(project: Project) -> None:
    """Words of the command, parameters and environment variables: none is a command of its own."""
    project.write_script(
        "".join(
            [
                "for word; do printf '%s<%s>\\n' word \"$word\"; done\n",
                *(f"printf '%s<%s>\\n' variable \"$ODD_{index}\"\n" for index in range(len(ODD))),
                "[ -e x ] || echo nothing was made\n",
            ]
        )
    )
    project.write_args(
        command=["sh", "train.sh", *ODD],
        parameters={"odd": "$(touch x); touch x"},
        environment_variables={f"ODD_{index}": word for index, word in enumerate(ODD)},
        tags={"$(touch x)": "; touch x"},
    )

    project.up()

    log = pathlib.Path(project.outputs()["log_path"]).read_text()
    assert log.splitlines() == [
        *(f"word<{word}>" for word in ODD),
        "word<--odd=$(touch x); touch x>",
        *(f"variable<{word}>" for word in ODD),
        "nothing was made",
    ]
