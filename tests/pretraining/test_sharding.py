"""Every architecture in shards over two processes, tied weights included, learns what it learns whole."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from accelerate import Accelerator
from accelerate.state import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch import Tensor

import tfx_core
from tests.cases import readers_of_text
from tests.models.tiny import random_ids, tiny_config
from tests.pretraining.trainings import training
from tfx_core.errors import InputError
from tfx_training import Trainee
from tfx_training.loop import training as loop
from tfx_training.sharding import layer_classes, shard_layers

HEADS = ("conditional-generation", "masked-lm", "causal-lm")
MODELS = [
    (spec.name, head)
    for spec in readers_of_text()
    if (head := next((each for each in HEADS if each in spec.heads), None)) is not None
]
STORED = MODELS[:: len(MODELS) // 2]
"""Of which a checkpoint in shards is written, and read when they have changed."""


def trainee(model_type: str, head: str) -> Trainee:
    return Trainee({"model": tfx_core.new_model(model_type, head=head, seed=0, **tiny_config(model_type))})


def losses(trained: Any, optimizer: Any, ids: Tensor, accelerator: Accelerator | None) -> list[float]:
    """Of three updates; over all processes where there are several."""
    found = []
    for _ in range(3):
        torch.manual_seed(0)
        loss = trained({"input_ids": ids, "labels": ids}).losses["loss"]
        loss.backward() if accelerator is None else accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(loss.detach() if accelerator is None else accelerator.reduce(loss.detach(), "mean")))
    return found


def sharding(accelerator: Accelerator, plugin: FullyShardedDataParallelPlugin) -> None:
    """What accelerate sets where there are GPUs; on processors it would shard nothing."""
    for state in (PartialState._shared_state, accelerator.state._shared_state):
        state["distributed_type"] = DistributedType.FSDP
    accelerator.state._shared_state["fsdp_plugin"] = plugin


def one_of_two(rank: int, port: int, folder: Path) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in places.items()}, MASTER_ADDR="127.0.0.1")
    torch.set_num_threads(1)
    accelerator = Accelerator(cpu=True)
    results = {}
    for model_type, head in MODELS:
        plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
        sharding(accelerator, plugin)
        whole, shards = trainee(model_type, head), trainee(model_type, head)
        shard_layers(plugin, shards)
        optimizer = torch.optim.SGD(shards.parameters(), 0.3)
        wrapped, optimizer = accelerator.prepare(shards, optimizer)
        ids = random_ids(model_type, 4, 12)
        expected = losses(whole, torch.optim.SGD(whole.parameters(), 0.3), ids, None)
        found = losses(wrapped, optimizer, ids.chunk(2)[rank], accelerator)
        if (model_type, head) in STORED:
            accelerator.save_state(str(folder / model_type))
            accelerator.wait_for_everyone()
            losses(wrapped, optimizer, ids.chunk(2)[rank], accelerator)
            accelerator.load_state(str(folder / model_type))
        results[model_type] = expected, found, whole.state_dict(), accelerator.get_state_dict(wrapped)
        accelerator._models.clear()
        accelerator._optimizers.clear()
    if rank == 0:
        torch.save(results, folder / "results.pt")
    accelerator.end_training()


def spawned(work: Callable[[int, int, Path], None], folder: Path) -> None:
    """Two processes that do it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, (port, folder), nprocs=2)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sharded")
    spawned(one_of_two, folder)
    found: dict[str, Any] = torch.load(folder / "results.pt", weights_only=False)
    return found


@pytest.mark.parametrize(("model_type", "head"), MODELS)
def test_two_processes_with_shards_equal_one(model_type: str, head: str, results: dict[str, Any]) -> None:
    expected, found, whole, gathered = results[model_type]
    assert found == pytest.approx(expected, abs=1e-5)
    tensors = {name: value for name, value in gathered.items() if isinstance(value, Tensor) and name in whole}
    assert len(tensors) > 5
    for name, value in tensors.items():  # where there was a checkpoint, as it had them
        torch.testing.assert_close(value, whole[name], atol=5e-5, rtol=1e-4)


class Sharding(Accelerator):
    """One that shards on processors, too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        sharding(self, FullyShardedDataParallelPlugin(fsdp_version=2))


def one_of_two_that_train(rank: int, port: int, folder: Path) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in places.items()}, MASTER_ADDR="127.0.0.1")
    torch.set_num_threads(1)
    loop.Accelerator = Sharding  # type: ignore[misc]
    for time in range(2):
        training(folder / "shards", **SETTINGS, save_every=2)
        if rank == time == 0:
            shutil.rmtree(folder / "shards" / "checkpoints" / "step-4")
        torch.distributed.barrier()


SETTINGS: dict[str, Any] = {"kind": "sparse", "dropout": False, "steps": 4, "rate": 1e-2, "accumulation": 2}


def test_a_training_in_shards_is_the_same_and_goes_on(tmp_path: Path) -> None:
    spawned(one_of_two_that_train, tmp_path)
    training(tmp_path / "whole", **SETTINGS)
    logs = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").open()] for name in ("whole", "shards")]
    whole, shards = ({each["step"]: each["loss"] for each in log if "loss" in each} for log in logs)
    assert shards == pytest.approx(whole, abs=1e-5)
    assert len(whole) == 4
    one, other = (tfx_core.load_model(tmp_path / name).state_dict() for name in ("whole", "shards"))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=5e-5, rtol=1e-4)
    assert list((tmp_path / "shards" / "checkpoints" / "step-4").glob("*/*.distcp"))


def test_layers_that_a_stack_calls_are_groups() -> None:
    assert layer_classes(trainee(*MODELS[0]).model("model")) == ["Layer"]


def test_the_first_version_is_refused() -> None:
    plugin = FullyShardedDataParallelPlugin.__new__(FullyShardedDataParallelPlugin)
    plugin.fsdp_version = 1
    with pytest.raises(InputError, match="--fsdp_version 2"):
        shard_layers(plugin, trainee(*MODELS[0]))
