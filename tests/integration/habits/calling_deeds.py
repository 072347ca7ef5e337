"""Calling a model, and what is done with its output."""

from typing import Any

import torch

from tests.integration.habits.world import World


def output(world: World, **inputs: Any) -> Any:
    model = world.model("bert", "sequence-classification")
    return model(**world.batch(), labels=torch.tensor([0, 1]), **inputs)


def by_place(world: World) -> None:
    out = output(world)
    assert out[0] is out.loss
    assert out[1] is out.logits


def unpacked_names(world: World) -> None:
    loss, _ = output(world)
    loss.backward()


def assigned(world: World) -> None:
    out = output(world)
    out.loss = out.loss / 2


def a_tuple(world: World) -> None:
    loss, logits = output(world, return_dict=False)
    assert (loss.shape, logits.shape) == ((), (2, 2))


def check(truth: object) -> None:
    assert truth


DEEDS = {
    ("model(…)", "model(batch)"): lambda world: world.model()(world.batch()),
    ("output", "out[0]"): by_place,
    ("output", "out[:2]"): lambda world: check(len(output(world)[:2]) == 2),
    ("output", "out.to_tuple()"): lambda world: check(isinstance(output(world).to_tuple(), tuple)),
    ("output", "out.keys()"): lambda world: check(list(output(world).keys()) == ["loss", "logits"]),
    ("output", "'logits' in out"): lambda world: check("logits" in output(world)),
    ("output", "model(…, return_dict=False)"): a_tuple,
    ("output", "loss, logits = out"): unpacked_names,
    ("output", "out.loss = loss"): assigned,
}
