"""Muon for a processor that has no instructions for bfloat16."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Float32Muon(torch.optim.Muon):
    """`torch.optim.Muon`, orthogonalising in float32: its bfloat16 takes longer than all the rest where it is emulated.

    Settings and state are its own, so that a training may go on with either (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon/; rates as of Liu et al. 2025, https://arxiv.org/abs/2502.16982).
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; gives what a ``closure`` does, which computes the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._update(matrix, matrix.grad, group)
        return loss

    def _update(self, matrix: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, momentum, rate = self.state[matrix], group["momentum"], group["lr"]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer = state["momentum_buffer"].lerp_(gradient, 1 - momentum)
        update = gradient.lerp(buffer, momentum) if group["nesterov"] else buffer
        change = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        matrix.mul_(1 - rate * group["weight_decay"])
        matrix.add_(change, alpha=-rate * 0.2 * max(matrix.shape) ** 0.5)  # an update as long as AdamW's


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Nearly the closest matrix ``(m, n)`` with orthogonal rows or columns, in so many steps of Newton and Schulz."""
    a, b, c = coefficients
    x: Tensor = (matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T).float()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
