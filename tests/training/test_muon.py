"""Muon in float32 makes the updates of torch's, as far as bfloat16 tells them apart."""

import pytest
import torch

from tfx_training.loop.muon import Float32Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_updates_are_those_of_torch(shape: tuple[int, int], nesterov: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    settings = {"lr": 0.1, "weight_decay": 0.1, "nesterov": nesterov, "adjust_lr_fn": "match_rms_adamw"}
    optimisers = Float32Muon([ours], **settings), torch.optim.Muon([theirs], **settings)
    for _ in range(4):
        gradient = torch.randn(shape, generator=generator)
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            parameter.grad = gradient.clone()
            optimiser.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved
    torch.testing.assert_close(optimisers[0].state_dict()["state"], optimisers[1].state_dict()["state"])


def test_a_closure_computes_gradients() -> None:
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    optimiser = Float32Muon([parameter], adjust_lr_fn="match_rms_adamw")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        found = parameter.square().sum()
        found.backward()
        return found

    assert optimiser.step(loss).item() == 4
    assert (parameter < 1).all()


def test_singular_values_come_near_one() -> None:
    matrix = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7))
    assert (values > 0.5).all()
    assert (values < 1.5).all()
