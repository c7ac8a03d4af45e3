"""Train an image classifier with fastai, and let MLflow keep its parameters and metrics.

`python train.py` learns to read scikit-learn's 1,797 handwritten digits, which need no download, in seconds on 2 CPUs.
`python train.py --data pets` tells cats from dogs on the Oxford-IIIT pets, by fine-tuning a resnet34 that has seen
ImageNet; it downloads both, and wants a GPU.

Files go to `outputs/` below the working directory. The platform says where metrics go (MLFLOW_TRACKING_URI,
MLFLOW_EXPERIMENT_NAME); without it they go to `mlruns/` below the working directory.
"""

# The libraries are imported where they are used: that takes seconds, and `--help` or a test of the options needs none.
# Nor need they be installed where this file is type-checked:
# mypy: disable-error-code="import-not-found, import-untyped"
from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OUTPUTS = Path("outputs")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the hyperparameters from the command line."""
    parser = argparse.ArgumentParser(description="Train an image classifier with fastai.")
    parser.add_argument("--data", choices=["digits", "pets"], default="digits", help="what to learn (default: digits)")
    parser.add_argument("--epochs", type=int, help="passes over the images (default: 8 for digits, 1 for pets)")
    parser.add_argument("--lr", type=float, help="highest learning rate (default: 0.01 for digits, 0.002 for pets)")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step (default: 64)")
    parser.add_argument("--seed", type=int, default=42, help="seed of every random choice (default: 42)")
    args = parser.parse_args(argv)

    epochs, lr = {"digits": (8, 0.01), "pets": (1, 0.002)}[args.data]
    args.epochs = epochs if args.epochs is None else args.epochs
    args.lr = lr if args.lr is None else args.lr
    for option in ("epochs", "lr", "batch_size"):
        value = getattr(args, option)
        if not value > 0:
            parser.error(f"argument --{option.replace('_', '-')}: {value} is not above zero")
    return args


def write_digits(folder: Path) -> None:
    """Write scikit-learn's digits as PNG files of 8 x 8 pixels, one folder for each digit."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        (folder / str(label)).mkdir(exist_ok=True)
        grey = (pixels * 255 / 16).astype("uint8")  # from 0..16 to 0..255
        Image.fromarray(grey).save(folder / str(label) / f"{number:04}.png")


def digits_learner(folder: Path, args: argparse.Namespace) -> Any:
    """Build a small convolutional network, untrained, for the digits below `folder`."""
    from fastai.vision.all import (
        ConvLayer,
        ImageDataLoaders,
        Learner,
        PILImageBW,
        Resize,
        accuracy,
        get_image_files,
        nn,
        parent_label,
    )

    write_digits(folder)
    dls = ImageDataLoaders.from_path_func(
        folder,
        sorted(get_image_files(folder)),  # sorted, else the split would follow the order that the disk lists files in
        parent_label,
        valid_pct=0.2,
        seed=args.seed,
        item_tfms=Resize(16),
        img_cls=PILImageBW,
        bs=args.batch_size,
        num_workers=0,  # so small an image is read faster than handed over by another process
    )
    model = nn.Sequential(
        ConvLayer(1, 32),
        ConvLayer(32, 32, stride=2),
        ConvLayer(32, 64),
        ConvLayer(64, 64, stride=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(64 * 2 * 2, dls.c),
    )
    return Learner(dls, model, metrics=accuracy)


def label_func(name: str) -> str:
    """Say what a file of the pets shows: the names of cats' breeds, and only those, begin with a capital."""
    return "cat" if name[0].isupper() else "dog"


def pets_learner(args: argparse.Namespace) -> Any:
    """Download the Oxford-IIIT pets, and a resnet34 trained on ImageNet to be tuned to them."""
    from fastai.vision.all import (
        ImageDataLoaders,
        Resize,
        URLs,
        accuracy,
        get_image_files,
        resnet34,
        untar_data,
        vision_learner,
    )
    from torchvision.models import ResNet34_Weights

    print("getting the pets (800 MB) and the weights of resnet34 (85 MB), unless they are here already", flush=True)
    with contextlib.redirect_stdout(io.StringIO()):  # a progress bar, which would spoil the log
        path = untar_data(URLs.PETS)
    ResNet34_Weights.DEFAULT.get_state_dict(progress=False)  # vision_learner would show a progress bar
    files = sorted(get_image_files(path / "images"))
    dls = ImageDataLoaders.from_name_func(
        path, files, label_func, valid_pct=0.2, seed=args.seed, item_tfms=Resize(224), bs=args.batch_size
    )
    return vision_learner(dls, resnet34, metrics=accuracy)


def train(learn: Any, args: argparse.Namespace) -> list[dict[str, float]]:
    """Train, and return each epoch's metrics, which are printed and logged as they come."""
    import mlflow

    # fine_tune begins with one epoch of its own, in which only the new last layers learn.
    epochs = args.epochs if args.data == "digits" else args.epochs + 1
    history: list[dict[str, float]] = []
    started = time.monotonic()

    def report(row: Sequence[Any]) -> None:
        """Take an epoch's row of fastai's table: epoch, training loss, validation loss, accuracy, time."""
        metrics = dict(zip(("train_loss", "valid_loss", "accuracy"), row[1:4], strict=True))
        history.append(metrics)
        mlflow.log_metrics(metrics, step=len(history))
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        print(f"epoch {len(history):>2}/{epochs}  {values}  {time.monotonic() - started:.1f} s", flush=True)

    learn.logger = report
    with learn.no_bar():
        if args.data == "digits":
            learn.fit_one_cycle(args.epochs, args.lr)
        else:
            learn.fine_tune(args.epochs, args.lr)
    learn.logger = print  # what `learn` holds is exported with it
    return history


def save_loss_curve(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw both losses, and the accuracy beside them, over the epochs."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    epochs = range(1, len(history) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(epochs, [row["train_loss"] for row in history], "o-", color="tab:blue", label="training")
    left.plot(epochs, [row["valid_loss"] for row in history], "o-", color="tab:orange", label="validation")
    left.set(title="Loss", xlabel="epoch", ylim=(0, None))
    left.legend(frameon=False)
    right.plot(epochs, [row["accuracy"] for row in history], "o-", color="tab:green")
    right.set(title=f"Accuracy on validation images: {history[-1]['accuracy']:.1%} at the end", xlabel="epoch")
    right.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def save_confusion_matrix(learn: Any, path: Path) -> None:
    """Draw how often each class of the validation images was taken for each other one."""
    from fastai.vision.all import ClassificationInterpretation
    from matplotlib import pyplot as plt

    with learn.no_bar():
        interpretation = ClassificationInterpretation.from_learner(learn)
        counts = interpretation.confusion_matrix()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)  # of each actual class
    names = [str(name) for name in interpretation.vocab]
    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for actual, predicted in zip(*counts.nonzero(), strict=True):
        colour = "white" if shares[actual, predicted] > 1 / 2 else "black"
        axes.text(predicted, actual, str(counts[actual, predicted]), ha="center", va="center", color=colour)
    ticks = range(len(names))
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set(title=f"Validation images: {counts.trace()} of {counts.sum()} right", xlabel="predicted", ylabel="actual")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Train a model, and save it with a picture of how that went and of what it confuses."""
    args = parse_args(argv)
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        os.environ["MLFLOW_TRACKING_URI"] = Path("mlruns").resolve().as_uri()
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

    import matplotlib
    import mlflow
    from fastai.vision.all import set_seed

    matplotlib.use("agg")  # draws into files, needs no display
    OUTPUTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, mlflow.start_run():
        mlflow.log_params(vars(args))
        set_seed(args.seed, reproducible=True)
        learn = digits_learner(Path(scratch), args) if args.data == "digits" else pets_learner(args)
        print(f"{len(learn.dls.train_ds)} images to train on, {len(learn.dls.valid_ds)} to validate with", flush=True)
        history = train(learn, args)
        learn.export(OUTPUTS.resolve() / "model.pkl")
        save_loss_curve(history, OUTPUTS / "loss_curve.png")
        save_confusion_matrix(learn, OUTPUTS / "confusion_matrix.png")
    print(f"accuracy {history[-1]['accuracy']:.4f}; model and pictures are in {OUTPUTS}/", flush=True)


if __name__ == "__main__":
    main()
