"""Pruned attention heads, of an architecture that has a form for it: as if they were masked, and for good."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import tfx_core
from tfx_core.errors import ConfigError
from tfx_core.model import Model
from tfx_core.nn import Stack
from tfx_testing.architectures.base import CaseChecks, config_of
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import each
from tfx_testing.comparing import close
from tfx_testing.refusing import refused
from tfx_testing.tiny import new_model, random_ids, tiny_model

Sizes = tuple[int, int]
"""Numbers of layers and of heads in each, as `ModelConfig.prunable` has them."""


def prunable(cls: type[CaseChecks]) -> Sequence[Sizes]:
    """The sizes of a tiny model whose heads can be pruned, at least three of them in a layer; none of any other."""
    sizes = config_of(cls).prunable
    return [] if sizes is None or sizes[1] < 3 else [sizes]


def _sizes(sizes: Sizes) -> str:
    return "{}-layers-{}-heads".format(*sizes)


class PruningChecks(CaseChecks):
    """`tfx_core.Model.prune_heads` and the key ``pruned_heads``."""

    @each(sizes=prunable, ids=_sizes)
    def test_a_pruned_head_is_a_masked_head_that_is_gone(self, sizes: Sizes) -> None:
        """A model without some heads gives what ``head_mask`` gives that hides them, with fewer parameters.

        Where it does not: the columns of a projection are not cut by heads, or a bias is left whole.
        """
        layers, heads = sizes
        pruned = {0: [*range(1, heads - 1)], layers - 1: [0]}
        model = tiny_model(self.case, "backbone")
        masked, size = _states(self.case, model, head_mask=_mask_of(model, sizes[1], pruned)), model.num_parameters()
        assert not torch.allclose(_states(self.case, model), masked, atol=1e-3), "head_mask has no effect"
        model.prune_heads(pruned)
        close(_states(self.case, model), masked, f"states without {pruned}, beside those with a head_mask")
        assert model.num_parameters() < size, "as many parameters as before"

    @each(sizes=prunable, ids=_sizes)
    def test_pruning_survives_saving_and_goes_on_in_the_old_numbers(self, sizes: Sizes, tmp_path: Path) -> None:
        """A pruned model is saved and loaded as it is, and its other heads keep their numbers.

        Where it is not: what builds the layers does not read ``config.pruned_heads``.
        """
        model, last = tiny_model(self.case, "backbone"), sizes[1] - 1
        masked = _states(self.case, model, head_mask=_mask_of(model, sizes[1], {0: [1, last]}))
        model.prune_heads({0: [1]})
        model.save_pretrained(tmp_path)
        again = tfx_core.load_model(tmp_path)
        assert torch.equal(_states(self.case, again), _states(self.case, model)), "loaded, it gives something else"
        again.prune_heads({0: [1, last]})
        assert again.config.pruned_heads == {0: tuple(sorted({1, last}))}
        close(_states(self.case, again), masked, f"states without heads 1 and {last}, pruned one after the other")

    @each(sizes=prunable, ids=_sizes)
    def test_not_all_heads_of_a_layer_can_be_pruned(self, sizes: Sizes) -> None:
        """All heads of a layer, or heads of a layer that there is not, are refused before anything changes.

        Where they are not: ``prunable`` of the config has other numbers than the model.
        """
        model, said = tiny_model(self.case, "backbone"), rf"pruned_heads=.*some, not all, of {sizes[1]} heads"
        before = _states(self.case, model)
        for wrong in ({0: [*range(sizes[1])]}, {sizes[0]: [0]}):
            with pytest.raises(ConfigError, match=said):
                model.prune_heads(wrong)
        assert torch.equal(_states(self.case, model), before), "what was refused has changed the model"

    @each(sizes=prunable, ids=_sizes)
    def test_pruned_heads_are_counted_from_either_end(self, sizes: Sizes) -> None:
        """The config counts layers and heads from 0 up or from -1 down, each once, and refuses those beyond.

        Where it does not: the config reads ``pruned_heads`` itself; `ModelConfig` does it.
        """
        layers, heads = sizes
        tiny = config_of(type(self))
        config = type(tiny)
        made = config.from_dict(
            {
                **tiny.to_dict(),
                "pruned_heads": {"0": [-1, 0, heads - 1], str(-layers): []}
                if layers == 1
                else {"0": [-1, 0, heads - 1], "-1": [1]},
            }
        )
        assert made.pruned_heads[0] == (0, heads - 1)
        assert config.from_dict(made.to_dict()) == made
        for wrong in ({0: (heads,)}, {0: (-heads - 1,)}, {layers: (0,)}, {-layers - 1: (0,)}, {0: (0,), -layers: (1,)}):
            with pytest.raises(ConfigError, match=r"pruned_heads=.*must be some, not all, of"):
                tiny.replace(pruned_heads=wrong)

    def test_heads_that_cannot_be_pruned_are_refused(self) -> None:
        """Where files have no form for pruned heads, the key and the method say that they cannot be.

        Where they do not: ``prunable`` is of a class above; it has to be ``None``.
        """
        if config_of(type(self)).prunable is not None:
            return
        said = f"pruned_heads=.*: must be empty: heads of {self.case.model_type} cannot be pruned"
        with refused(said, "model.prune_heads({0: [1]})", ConfigError):
            new_model(self.case).prune_heads({0: [1]})
        with refused(said, "pruned_heads={0: (0,)}", ConfigError):
            config_of(type(self)).replace(pruned_heads={0: (0,)})


def _states(case: ArchitectureCase, model: Model, **inputs: object) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(random_ids(case, 2, 8), **inputs).last_hidden_state
    return found


def _mask_of(model: Model, heads: int, pruned: dict[int, list[int]]) -> Tensor:
    """The head mask ``(steps, heads)`` under which the model is as if these were pruned."""
    stack = next(module for module in model.modules() if isinstance(module, Stack))
    mask = torch.ones(len(stack.order), heads)
    for step, layer in enumerate(stack.order):
        mask[step, pruned.get(layer, [])] = 0
    return mask
