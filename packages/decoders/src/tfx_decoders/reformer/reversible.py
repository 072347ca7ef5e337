"""Steps that are computed again in the backward pass from what they wrote (Gomez et al. 2017)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call


class Step:
    """``(a, b) -> (b, a + branch(b))``, which can be undone, and taken again as it was.

    What is drawn at random is drawn again, by the parts that drew it, and autocast is what it was.
    """

    def __init__(self, branch: nn.Module, *call: Any) -> None:
        self.branch = branch
        self.call = call
        own = dict(branch.named_parameters())  # which may be others when it is taken again
        self.trained = {name: each for name, each in own.items() if each.requires_grad}
        self._frozen = {name: each for name, each in own.items() if not each.requires_grad}
        self._training: dict[nn.Module, bool] = {}
        self._random: Random | None = None
        self._autocast: dict[str, Any] = {}

    def take(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """``(…, D)`` each; without gradients."""
        kind = b.device.type
        self._training = {part: part.training for part in self.branch.modules()}
        self._random = Random(b.device) if any(self._training.values()) else None
        self._autocast = {
            "device_type": kind,
            "enabled": torch.is_autocast_enabled(kind),
            "dtype": torch.get_autocast_dtype(kind),
            "cache_enabled": False,  # a cast that is kept would have no gradients
        }
        with torch.autocast(**self._autocast):
            return b, a + self.branch(b, *self.call)

    def undo(
        self, b: Tensor, c: Tensor, of_b: Tensor, of_c: Tensor, trained: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, tuple[Tensor | None, ...]]:
        """What was ``a, b``, the gradients of both out of those of ``b, c``, and those of the parameters."""
        b = b.detach().requires_grad_()
        given = {**self._frozen, **dict(zip(self.trained, trained, strict=True))}
        with torch.enable_grad(), again(self._random), training_as(self._training), torch.autocast(**self._autocast):
            added = functional_call(self.branch, given, (b, *self.call))
        through, *of_trained = torch.autograd.grad(added, (b, *trained), of_c.to(added.dtype), allow_unused=True)
        return c - added.detach(), b.detach(), of_c, of_b + through, tuple(of_trained)


@dataclass(frozen=True)
class Run:
    """What a layer of two steps computes; ``take`` calls the layer, which takes them."""

    take: Callable[[Tensor], Tensor]
    """``(…, 2·D) -> (…, 2·D)``."""
    steps: tuple[Step, Step]


class Random:
    """The state of what is drawn at random, on the CPU and on a device."""

    def __init__(self, device: torch.device) -> None:
        self.devices = [device] if device.type == "cuda" else []
        self._of_cpu = torch.get_rng_state()
        self._of_devices = [torch.cuda.get_rng_state(each) for each in self.devices]

    def set(self) -> None:
        """Draw from here on."""
        torch.set_rng_state(self._of_cpu)
        for device, state in zip(self.devices, self._of_devices, strict=True):
            torch.cuda.set_rng_state(state, device)


@contextmanager
def again(random: Random | None) -> Iterator[None]:
    """Within, what was drawn from a state is drawn again; then all goes on as before."""
    if random is None:
        yield
        return
    with torch.random.fork_rng(random.devices):
        random.set()
        yield


@contextmanager
def training_as(modes: Mapping[nn.Module, bool]) -> Iterator[None]:
    """Within, each part is in the mode that is told, whatever was called after the pass that is computed again."""
    now = {part: part.training for part in modes}
    try:
        _set_modes(modes)
        yield
    finally:
        _set_modes(now)


def _set_modes(modes: Mapping[nn.Module, bool]) -> None:
    for part, mode in modes.items():
        part.training = mode


def reversible(runs: Sequence[Run], x: Tensor) -> Tensor:
    """All layers one after another, ``(…, 2·D)``, of which the backward pass keeps the result alone.

    It has gradients once. Parameters get theirs as any others do: through autograd, which tells who waits for them.
    """
    trained = [each for run in runs for step in run.steps for each in step.trained.values()]
    apply: Callable[..., Tensor] = _Reversible.apply
    return apply(runs, x, *trained)


class _Reversible(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, runs: Sequence[Run], x: Tensor, *trained: Tensor) -> Tensor:
        for run in runs:
            x = run.take(x)
        ctx.steps = [step for run in runs for step in run.steps]
        ctx.save_for_backward(x, *trained)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, *trained = ctx.saved_tensors
        (a, b), (of_a, of_b) = x.chunk(2, dim=-1), gradient.chunk(2, dim=-1)
        found: list[Tensor | None] = []
        for step in reversed(ctx.steps):
            left = len(trained) - len(found)
            own = trained[left - len(step.trained) : left]
            a, b, of_a, of_b, of_own = step.undo(a, b, of_a, of_b, own)
            found = [*of_own, *found]
        return None, torch.cat((of_a, of_b), dim=-1), *found
