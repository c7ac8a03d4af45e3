import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import mlflow
import pytest

from aml_infra import ignore_rules

EXAMPLE = Path(__file__).parents[3] / "examples" / "fastai-example"


@pytest.fixture(scope="module")
def train() -> ModuleType:
    """The example's script, imported by its path."""
    spec = importlib.util.spec_from_file_location("fastai_example_train", EXAMPLE / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def amlignore() -> ignore_rules.Rules:
    """The example's rules for its snapshot."""
    return ignore_rules.build_rules((EXAMPLE / ".amlignore").read_text().splitlines())


@pytest.fixture(scope="module")
def instructions() -> list[str]:
    """The Dockerfile's instructions: no comments, continued lines joined."""
    lines = [line for line in (EXAMPLE / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [line for line in joined.splitlines() if line.strip()]


def test_digits_are_the_default(train: ModuleType) -> None:
    """Without options, training needs no download and repeats itself exactly."""
    args = train.parse_args([])

    assert vars(args) == {"data": "digits", "epochs": 8, "lr": 0.01, "batch_size": 64, "seed": 42}


def test_pets_have_their_own_defaults(train: ModuleType) -> None:
    """Fine-tuning a pretrained network takes fewer epochs and smaller steps than training a new one."""
    args = train.parse_args(["--data", "pets"])

    assert (args.epochs, args.lr) == (1, 0.002)


def test_every_hyperparameter_is_an_option(train: ModuleType) -> None:
    """What the user gives wins over the defaults of the data set."""
    args = train.parse_args(
        ["--data", "pets", "--epochs", "3", "--lr", "0.5", "--batch-size", "7", "--seed", "0"],
    )

    assert vars(args) == {"data": "pets", "epochs": 3, "lr": 0.5, "batch_size": 7, "seed": 0}


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["--epochs", "0"], "--epochs: 0 is not above zero"),
        (["--batch-size", "-1"], "--batch-size: -1 is not above zero"),
        (["--lr", "nan"], "--lr: nan is not above zero"),
        (["--data", "cars"], "invalid choice: 'cars'"),
    ],
)
def test_values_that_cannot_train_are_refused(
    train: ModuleType, capsys: pytest.CaptureFixture[str], argv: list[str], problem: str
) -> None:
    """A hyperparameter that makes no sense ends the run at once, and the message names it."""
    with pytest.raises(SystemExit, match="2"):
        train.parse_args(argv)

    assert problem in capsys.readouterr().err


def test_the_script_imports_no_library_before_it_trains() -> None:
    """`train.py` can be imported, and answer --help, where neither fastai nor MLflow is installed."""
    program = (
        f"import json, sys; sys.path.insert(0, {str(EXAMPLE)!r}); import train; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    result = subprocess.run([sys.executable, "-I", "-B", "-c", program], check=True, capture_output=True, text=True)

    imported = set(json.loads(result.stdout))
    assert not imported & {"PIL", "fastai", "matplotlib", "mlflow", "numpy", "sklearn", "torch", "torchvision"}


@pytest.mark.parametrize(("name", "label"), [("Abyssinian_1.jpg", "cat"), ("american_bulldog_10.jpg", "dog")])
def test_pets_are_labelled_by_their_file_name(train: ModuleType, name: str, label: str) -> None:
    """The data set writes breeds of cats, and only those, with a capital."""
    assert train.label_func(name) == label


@pytest.mark.parametrize(
    "path",
    [
        ".DS_Store",
        ".amlignore",
        ".dockerignore",
        ".env",
        ".ipynb_checkpoints/train-checkpoint.ipynb",
        ".ruff_cache/0.17/x",
        ".venv/bin/python",
        "Dockerfile",
        "README.md",
        "__pycache__/train.cpython-311.pyc",
        "logs/stdout.log",
        "mlruns/0/meta.yaml",
        "models/__pycache__/x.pyc",
        "outputs/model.pkl",
        "deploy.pem",
    ],
)
def test_what_a_run_does_not_need_stays_out_of_its_snapshot(amlignore: ignore_rules.Rules, path: str) -> None:
    """The image's recipe, results, caches, secrets and prose neither travel with a run nor start a new one."""
    assert amlignore.covers(path)


@pytest.mark.parametrize("path", ["train.py", "models/resnet.py", "data/labels.csv", "config.json", "requirements.txt"])
def test_what_a_run_may_read_is_in_its_snapshot(amlignore: ignore_rules.Rules, path: str) -> None:
    """Code and the small files beside it are what a run is made of."""
    assert not amlignore.covers(path)


def test_the_snapshot_of_the_example_is_its_script(amlignore: ignore_rules.Rules) -> None:
    """Of the files that the example ships with, only train.py makes it train again."""
    shipped = {"train.py", "Dockerfile", "README.md", ".amlignore", ".dockerignore"}
    assert all((EXAMPLE / name).is_file() for name in shipped)

    assert {name for name in shipped if not amlignore.covers(name)} == {"train.py"}


def test_the_dockerfile_builds_on_docker_20_10(instructions: list[str]) -> None:
    """The recipe needs neither heredocs nor a downloaded frontend, which an old or offline daemon lacks."""
    text = (EXAMPLE / "Dockerfile").read_text()

    assert "<<" not in text
    assert not re.search(r"^#\s*syntax\s*=", text, flags=re.MULTILINE)
    assert instructions[0] == "FROM debian:bookworm-slim"


def test_the_dockerfile_reads_nothing_of_its_folder(instructions: list[str]) -> None:
    """Nothing is copied in, so no secret can end in a layer and no script in the image's identity."""
    assert {instruction.split()[0] for instruction in instructions} == {"FROM", "RUN", "ENV"}
    assert (EXAMPLE / ".dockerignore").read_text().splitlines()[-1] == "*"


def test_the_hosts_certificates_are_an_optional_build_secret(instructions: list[str]) -> None:
    """A CA bundle is mounted for one step, used only where it is given, and never required or copied."""
    steps = [instruction for instruction in instructions if "host_ca" in instruction]

    assert len(steps) == 1
    assert steps[0].startswith("RUN --mount=type=secret,id=host_ca set -eu;")
    assert "if [ -s /run/secrets/host_ca ]; then export PIP_CERT=/run/secrets/host_ca; fi;" in steps[0]


def test_every_python_package_of_the_image_is_pinned(instructions: list[str]) -> None:
    """The same recipe installs the same versions, dependencies included."""
    (step,) = (instruction for instruction in instructions if "pip install" in instruction)
    words = shlex.split(step.partition("pip install")[2])
    packages = [word for word in words if not word.startswith("-")]

    assert "--no-deps" in words
    assert [package for package in packages if not re.fullmatch(r"[\w-]+==[\w.]+", package)] == []
    assert {"fastai==2.7.19", "mlflow-skinny==3.15.0", "azureml-mlflow==1.62.0.post6"} <= set(packages)


@pytest.mark.filterwarnings("ignore:The filesystem tracking backend:FutureWarning")
def test_a_run_that_the_service_has_opened_is_logged_to(
    train: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure Machine Learning opens one for each job, and says which; without it, there is a new one."""
    stub = ModuleType("stub")
    stub.use = stub.set_seed = lambda *_, **__: None  # type: ignore[attr-defined]
    for name in ("matplotlib", "fastai", "fastai.vision", "fastai.vision.all"):
        monkeypatch.setitem(sys.modules, name, stub)
    data = SimpleNamespace(train_ds=[1], valid_ds=[1])
    learner = SimpleNamespace(dls=data, export=lambda _: None)
    monkeypatch.setattr(train, "digits_learner", lambda *_: learner)
    monkeypatch.setattr(train, "train", lambda *_: [{"accuracy": 1.0}])
    for name in ("save_loss_curve", "save_confusion_matrix"):
        monkeypatch.setattr(train, name, lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "store").as_uri())
    opened = client.create_run(client.create_experiment("pets")).info

    monkeypatch.setenv("MLFLOW_RUN_ID", opened.run_id)
    train.main(["--epochs", "3"])
    train.main(["--epochs", "4"])

    assert client.get_run(opened.run_id).data.params["epochs"] == "3"
    (other,) = client.search_runs(["0"])
    assert other.data.params["epochs"] == "4"
