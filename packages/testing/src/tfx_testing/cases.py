"""What the checks of an architecture have to know of it: a tiny config, its inputs, and what is special about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tfx_core.plugins import ArchitectureSpec, registry

if TYPE_CHECKING:
    from tfx_testing.parity.case import Case

Inputs = dict[str, Tensor]
CHOICE_HEADS = ("multiple-choice", "double-heads")
"""Heads whose input has an axis of choices."""


def _no_inputs(head: str, ids: Tensor) -> Inputs:
    return {}


def _no_labels(head: str, token_labels: Tensor, generator: torch.Generator) -> Inputs | None:
    return None


def _as_given(model: Any, inputs: Inputs) -> Inputs:
    return inputs


def _always(config: Any) -> bool:
    return True


def _nothing_else(size: str, value: int) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Variant:
    """A configuration to compare with the reference, for all heads of the architecture or the named ones."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    """Keys in which it differs from the tiny config."""
    heads: tuple[str, ...] | None = None
    source_width: int | None = None
    """Width of the states that cross-attention reads, where the variant has any."""
    inputs: Callable[["Case", torch.Generator], Inputs] | None = None
    """Its inputs, labels included, where they are not those of the architecture."""
    padded: Callable[[Inputs], Inputs] | None = None
    """Pads a batch, where that is not done on the right."""
    patch: Callable[[torch.nn.Module], None] | None = None
    """Mends the reference model where it is known to be wrong."""
    kernel: str = "eager"
    """The reference's attention implementation to compare with."""
    resized: bool = True
    """Whether the reference can read it with another number of tokens."""
    heads_of_reference: dict[str, str] = field(default_factory=dict)
    """Head -> class of the reference, where the registered name is not the one to compare with."""


@dataclass(frozen=True)
class ArchitectureCase:
    """One architecture; all but its name and a tiny config has to be said only where it is not as with most."""

    model_type: str

    tiny: dict[str, Any]
    """Keys of its ``config.json``: small sizes, no dropout, three attention heads or more, 16 tokens or more, and
    positions for 40 of them, where it counts positions."""

    variants: tuple[Variant, ...] = (Variant("tiny"),)
    """What is compared with the reference, and checked where a mechanism may be switched on by a key."""

    reads: str = "text"
    """What a call needs: a text, which it may read alone, or something else, such as ``"image"``."""

    compared: dict[str, Any] = field(default_factory=dict)
    """Keys that the config of every variant has besides."""

    inputs: Callable[["Case", torch.Generator], Inputs] | None = None
    """What the variants are given, where it is not what `encoder_inputs` makes."""

    reference: Callable[["Case"], Any] | None = None
    """The reference's model of a case, new, where its class alone does not make one from ``case.config``.

    It is any module whose state dict has the names of a checkpoint. It is called with the inputs that its ``forward``
    names, and gives a mapping, names of our outputs -> tensors, in our order.
    """

    reference_module: str = "transformers"
    """Where the classes are that `ArchitectureSpec.hf_classes` names, if nothing builds them."""

    end_token: int | None = None
    """What its inputs end with, where a head reads it."""

    target_heads: tuple[str, ...] = ()
    """Heads of an encoder-decoder whose decoder reads a target, not the source again."""

    labels: Callable[[str, Tensor, torch.Generator], Inputs | None] = _no_labels
    """Labels of the heads that no other architecture has in this form: of a head, given labels ``(B, S)`` that name a
    token of the vocabulary for each place or `IGNORED`; ``None`` for the heads that all have."""

    layouts: Mapping[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = field(default_factory=dict)
    """The other ways in which released files lay their tensors out: what each is -> the tensors in it, of those that
    are saved here. With the present one these are all that is read."""

    refused: Sequence[tuple[dict[str, Any], str]] = ()
    """Keys with which a config is refused, and a regular expression of what is said."""

    optional_inputs: Callable[[str, Tensor], Inputs] = _no_inputs
    """Inputs of a head, given token ids, without which a call leaves some parameters out."""

    input_values: Mapping[str, Callable[[Tensor], Any]] = field(default_factory=dict)
    """A value, given token ids, of each input that no other architecture has; generation may refuse it by name."""

    compared_inputs: tuple[str, ...] = ()
    """Inputs whose numbers are compared with each other and look nothing up, so that none is out of range."""

    asked: Callable[[Any, Inputs], Inputs] = _as_given
    """What a call of a model is given, of a text's inputs, so that its last logits are of the next token."""

    deepest: dict[str, Any] = field(default_factory=lambda: {"num_hidden_layers": 10**9})
    """Keys of a config with more layers than any model can have."""

    released: Callable[[], Mapping[str, object]] = dict
    """Files of a small tokenizer as its family released them, see `tfx_testing.vocabularies`."""

    tokenizer_json: bool = True
    """Whether that is saved as a ``tokenizer.json``, too: false for one with parts in Python."""

    convolves: bool = False
    """Whether it reads which tokens stand side by side, whatever their positions are."""

    packs: bool = True
    """Whether its layers see the tokens of a padded batch alone."""

    stepwise: Callable[[Any], bool] = _always
    """Whether, with a config, a cache's steps give what a call of the whole text gives: not where tokens that follow
    decide which of the others see each other."""

    goes_with: Callable[[str, int], dict[str, Any]] = _nothing_else
    """Keys of a tiny config that change with a size, given its common name and value."""

    weights_by_key: bool = True
    """Whether the attention weights that it reports have a column for each token."""

    patterns: bool = True
    """Whether a pattern may bound its attention (``attention="window(2)"``); a mechanism of its own may refuse it."""

    holds_pairs: bool = False
    """Whether a call holds numbers of every pair of tokens, as positions do that are added to scores."""

    sparse: Mapping[str, Any] | None = None
    """Keys of a config with which time is linear in the length of a text; ``None`` where it grows with the square."""

    one_graph: bool = True
    """Whether its calls compile without a break: false where what is computed depends on the ids."""

    reversible: bool = False
    """Whether its layers compute again what their backward pass needs, unless they report something."""

    unread: Mapping[str, str] = field(default_factory=dict)
    """Field of the config that nothing reads -> why it is one."""

    def __post_init__(self) -> None:
        if not isinstance(self.tiny, Mapping):
            raise TypeError(f"tiny of the case of {self.model_type!r} must be a dict with keys of a config.json")

    @property
    def spec(self) -> ArchitectureSpec:
        """What its plugin says of it; raises `tfx_core.errors.UnknownNameError` where none does."""
        return registry.find(ArchitectureSpec, self.model_type)
