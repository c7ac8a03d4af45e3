"""Several workers on one machine, with the real PyTorch of the example's image."""

from __future__ import annotations

import pytest

from tests.integration.projects import ROOT, Project

SCRIPT = """\
import os

import mlflow
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

distributed.init_process_group("gloo")
rank, size = distributed.get_rank(), distributed.get_world_size()
print(f"worker {rank} of {size} at {os.environ['MASTER_ADDR']}", flush=True)

# Each worker sees only its half of the points of y = 3 x: what one learns, the other has to be told.
x = torch.linspace(-1, 1, 200)[rank::size, None]
model = DistributedDataParallel(nn.Linear(1, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(100):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), 3 * x)
    loss.backward()
    optimizer.step()

weight = model.module.weight.detach().reshape(1)
weights = [torch.zeros(1) for _ in range(size)]
distributed.all_gather(weights, weight)
if rank == 0:
    mlflow.log_metric("weight", weight.item())
    mlflow.log_metric("difference", (weights[0] - weights[1]).abs().item())
    mlflow.log_metric("workers", size)
distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_workers_train_one_model_with_gloo(job_project: Project) -> None:
    """They find each other by the variables that they are given; the log says which worker printed what."""
    (job_project.source / "train.py").write_text(SCRIPT)
    job_project.write_args(
        command=["python", "train.py"],
        image={"dockerfile": str(ROOT / "examples/fastai-example/Dockerfile"), "host_ca_secret": "host_ca"},
        distribution=2,
    )

    log = job_project.up(timeout=1700)

    outputs = job_project.outputs()
    assert outputs["status"] == "Completed"
    assert outputs["metrics"]["workers"] == 2
    assert outputs["metrics"]["weight"] == pytest.approx(3, abs=0.01)
    assert outputs["metrics"]["difference"] == 0
    for rank in (0, 1):
        assert f"[{rank}] worker {rank} of 2 at " in log
