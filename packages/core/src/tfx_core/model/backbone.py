"""What a backbone is to heads, generation and tasks: the base class of every network under a head."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn import DecoderCache, Embeddings, padded_layouts

if TYPE_CHECKING:
    from tfx_core.generation import GenerativeModel


Inputs: TypeAlias = dict[str, Any]
"""What a call was given, by name: tensors, caches, outputs, switches."""


class Backbone(nn.Module, ABC):
    """The network under a head; a call of it gives a `tfx_core.ModelOutput`.

    A subclass's ``forward`` names every input that it takes, one of them ``attention``, the kernel of the call. Its
    output has at least ``last_hidden_state`` ``(B, S, D)``, with ``token_mask`` where some tokens are padding, and
    ``pooler_output`` ``(B, D)`` where it has that part.
    """

    packed: bool = True
    """Whether its modules see the tokens of a padded batch alone, or rows with their padding; see `Model.packed`."""

    first_position: int = 0
    """The number that ``position_ids`` give to a text's first token: RoBERTa's tables have others before it."""

    def __init__(self, width: int, *, max_positions: int | None = None, causal: bool = True) -> None:
        super().__init__()
        self.width = width
        """``D``, the width of the states."""
        self.max_positions = max_positions
        """The longest input, in tokens; ``None`` where there is no limit."""
        self.causal = causal
        """Whether it can predict what follows: false where every token sees the ones after it."""

    def __call__(self, *inputs: Any, return_dict: bool | None = None, **named: Any) -> Any:
        """Run it, in the layout that is asked for; with ``return_dict=False`` the result is a tuple."""
        if self.packed or torch.compiler.is_compiling():  # what is compiled sees padding anyhow
            output = super().__call__(*inputs, **named)
        else:
            with padded_layouts():
                output = super().__call__(*inputs, **named)
        return output.to_tuple() if return_dict is False else output

    @abstractmethod
    def embed(self, input_ids: Tensor) -> Tensor:
        """Ids ``(B, T)`` -> the vectors ``(B, T, D)`` that ``inputs_embeds`` may give in their place."""

    @property
    def token_tables(self) -> Sequence[tuple[nn.Module, str]]:
        """Where what turns ids into vectors is: modules, and the attributes of theirs that are all one and the same.

        By default the token table of every `tfx_core.nn.Embeddings` in it.
        """
        return [(each, "token") for each in self.modules() if isinstance(each, Embeddings)]

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the inputs that a call takes."""
        return frozenset(named_inputs(self))

    def arrange(self, inputs: Inputs) -> Inputs:
        """The call's inputs as backbone and head shall see them; by default unchanged."""
        return inputs

    @property
    def source_reader(self) -> "Backbone | None":
        """The encoder: what reads without predicting what follows; ``None`` where nothing does."""
        return None if self.causal else self

    @property
    def text_writer(self) -> "Backbone | None":
        """The decoder: what can predict what follows; ``None`` where nothing can."""
        return self if self.causal else None

    @property
    def most_read(self) -> int | None:
        """The longest text, in tokens, that it writes the next token of; less than `max_positions` if that needs some.

        ``None`` where there is no limit.
        """
        return self.max_positions

    def new_cache(self) -> DecoderCache:
        """An empty key-value cache for one generation; raises `InputError` where the model keeps none."""
        raise InputError("use_cache: this model keeps no key-value cache")

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove attention heads: layer -> numbers of the heads, counted in the layer as it is now.

        Raises `InputError` where that is not offered, which is the default.
        """
        raise InputError("prune_heads: this model's heads cannot be pruned, since its checkpoints have no form for it")

    def generate(self, model: "GenerativeModel", input_ids: Tensor | None = None, **options: Any) -> Any:
        """What `tfx_core.Model.generate` of a model with this backbone does, see `tfx_core.generation.generate`."""
        from tfx_core.generation import generate  # whom an encoder serves need not wait for it

        return generate(model, input_ids, **options)


def named_inputs(module: nn.Module) -> tuple[str, ...]:
    """Names of the inputs of a backbone or a head; raises `TypeError` where it does not name them all."""
    parameters = inspect.signature(module.forward).parameters.values()
    wrong = [each.name for each in parameters if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if wrong:
        raise TypeError(f"{type(module).__name__}.forward takes *{wrong[0]}; it must name every input that it takes")
    return tuple(each.name for each in parameters)


def input_types(module: nn.Module) -> dict[str, type]:
    """Name -> type of those inputs of a backbone or a head that are declared as a tensor or a cache."""
    declared = {name: each.annotation for name, each in inspect.signature(module.forward).parameters.items()}
    kinds = (Tensor, DecoderCache)
    return {name: kind for name, given in declared.items() for kind in kinds if given in (kind, kind | None)}
