"""How the layers of a model run; results and gradients are the same whichever way."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from torch import nn

from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_core.habits import unknown
from tfx_core.model.backbone import Backbone
from tfx_core.nn import Recomputing, Stack

_KEYWORDS = frozenset({"context_fn", "debug", "determinism_check", "preserve_rng_state", "use_reentrant"})


class Switches(nn.Module):
    """A model's switches; they hold for every backbone and stack in it, and are copied and pickled with it."""

    @property
    def packed(self) -> bool:
        """Whether layers see the tokens of a padded batch alone, ``(tokens, D)``, or with padding, ``(B, S, D)``.

        ``model.packed = False`` is for what hooks layers and counts on rows; padding is then computed, too, and what
        modules give for it means nothing. Whole batches and compiled models have ``(B, S, D)`` anyhow.
        """
        return all(each.packed for each in self._backbones())

    @packed.setter
    def packed(self, packed: bool) -> None:
        for each in self._backbones():
            each.packed = packed

    @contextmanager
    def padded(self) -> Iterator[Self]:
        """``with model.padded():`` layers see padding, see `packed`."""
        before, self.packed = self.packed, False
        try:
            yield self
        finally:
            self.packed = before

    @property
    def supports_gradient_checkpointing(self) -> bool:
        """Whether its layers are in a `tfx_core.nn.Stack`."""
        return next(self._stacks(), None) is not None

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether `gradient_checkpointing_enable` was called."""
        return any(each.checkpointing is not None for each in self._stacks())

    def gradient_checkpointing_enable(
        self,
        gradient_checkpointing_kwargs: Mapping[str, Any] | None = None,
        every_n_layers: int = 1,
        offload: bool = False,
    ) -> None:
        """While training, compute in the backward pass again what layers computed: less memory, more time.

        The keywords are those of `torch.utils.checkpoint.checkpoint`; ``use_reentrant`` may be either, for gradients
        are the same, and nothing has to require them. It is done for one layer of ``every_n_layers`` in each stack;
        with ``offload`` what that keeps is kept on the CPU. Raises `InputError` where the layers are in no `Stack`.
        """
        if not self.supports_gradient_checkpointing:
            raise InputError("gradient_checkpointing_enable: this model's layers are in no tfx_core.nn.Stack")
        given = dict(gradient_checkpointing_kwargs or {})
        if given.keys() - _KEYWORDS:
            raise TypeError(unknown("model", given.keys() - _KEYWORDS, _KEYWORDS, "gradient_checkpointing_kwargs"))
        given.pop("use_reentrant", None)
        every = checked(every_n_layers, Size, "every_n_layers", InputError)
        for each in self._stacks():
            each.checkpointing = Recomputing(given, every, offload)

    def gradient_checkpointing_disable(self) -> None:
        """Keep what layers compute for the backward pass."""
        for each in self._stacks():
            each.checkpointing = None

    def activation_checkpointing_enable(
        self,
        activation_checkpointing_kwargs: Mapping[str, Any] | None = None,
        every_n_layers: int = 1,
        offload: bool = False,
    ) -> None:
        """`gradient_checkpointing_enable`, as transformers 5 calls it."""
        self.gradient_checkpointing_enable(activation_checkpointing_kwargs, every_n_layers, offload)

    def activation_checkpointing_disable(self) -> None:
        """`gradient_checkpointing_disable`."""
        self.gradient_checkpointing_disable()

    @property
    def is_activation_checkpointing(self) -> bool:
        """`is_gradient_checkpointing`."""
        return self.is_gradient_checkpointing

    def enable_input_require_grads(self) -> None:
        """Let gradients reach what the first layer reads, though the embeddings are frozen."""
        for each in self._stacks():
            each.input_requires_grad = True

    def disable_input_require_grads(self) -> None:
        """The opposite of `enable_input_require_grads`."""
        for each in self._stacks():
            each.input_requires_grad = False

    def _without_cache(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs of a call without ``use_cache``, and a warning, if it will be computed twice."""
        if not inputs.get("use_cache") or not any(each.recomputes for each in self._stacks()):
            return inputs
        warnings.warn("use_cache=True: nothing is remembered while gradient checkpointing is on", stacklevel=2)
        return {**inputs, "use_cache": False}

    def _backbones(self) -> Iterator[Backbone]:
        return (each for each in self.modules() if isinstance(each, Backbone))

    def _stacks(self) -> Iterator[Stack]:
        return (each for each in self.modules() if isinstance(each, Stack))
