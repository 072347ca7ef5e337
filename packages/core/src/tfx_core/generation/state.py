"""What the engine asks of a model: a `DecodingState`, and what some strategies ask for beyond it.

A state is made for the inputs of one generation call and serves it to the end. It knows *sources* and *rows*: a source
is one entry of the batch (a prompt, or an encoder input with the start of its output), a row is one text being decoded
from it (a beam, a sample). At first every source has one row. The rows of a source are adjacent, and every source has
equally many, so that row ``r`` of ``R`` belongs to source ``r // (R / B)``. ``B`` sources, ``R`` rows, ``V``
vocabulary, ``D`` width of the last layer.

Prompts may be padded on either side; the state counts positions in the mask. The logits that a state returns belong
to the engine until its next call: it may write into them.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.habits import hint
from tfx_core.nn import DecoderCache, copied_rows, rows_of_sources

if TYPE_CHECKING:
    from tfx_core.generation.options import GenerationOptions


@runtime_checkable
class DecodingState(Protocol):
    """A model decoding the inputs of one call; key-value caches, memories, ensembles of documents are such states."""

    def prefill(self) -> Tensor:
        """Read the prompts; the logits ``(B, V)`` of the token after the last real one of each. Called once, first."""
        ...

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row; the logits ``(R, V)`` of the next."""
        ...

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row. What depends on the source alone is not repeated."""
        ...

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, always within its source.

        ``rows`` ``(R',)`` has equally many entries for each source, ``R' / B``, possibly fewer than before: then the
        other rows are forgotten.
        """
        ...

    def select(self, sources: Tensor) -> None:
        """Keep only these sources ``(B',)``, in this order, with all their rows; what finished leaves the batch."""
        ...


@runtime_checkable
class ExtendingState(DecodingState, Protocol):
    """A state that takes several tokens at once and gives the last ones back: for tokens that are guessed."""

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append the first ``lengths[i]`` of the tokens ``(R, n)`` to row ``i``.

        Returns the logits ``(R, n, V)`` after each token; those after row ``i``'s last one are arbitrary.
        """
        ...

    def keep(self, counts: Tensor) -> None:
        """Of the tokens appended by `extend` since the last time, keep the first ``counts[i]`` of row ``i``.

        Always follows it, but not each time: a row for which nothing was appended gets no more before this.
        """
        ...


@runtime_checkable
class RevealingState(DecodingState, Protocol):
    """A state that also shows the last layer's states, those that the output layer reads: for contrastive search."""

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        """`prefill`, with the states of the prompts' tokens ``(B, S, D)`` and a mask ``(B, S)``, true where real."""
        ...

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`step`, with the state ``(R, D)`` of each appended token."""
        ...


@runtime_checkable
class RememberingState(DecodingState, Protocol):
    """A state whose cache a later call can go on with."""

    def remembered(self, rows: Tensor) -> DecoderCache:
        """A cache of its own of these rows, with all tokens that were read of them."""
        ...


REPORTS = ("output_attentions", "output_hidden_states")
"""Inputs that ask for reports."""


@runtime_checkable
class ReservingState(DecodingState, Protocol):
    """A state that can make room for texts before they grow."""

    def reserve(self, length: int) -> None:
        """Texts are read up to this length, prompts included; called before `prefill`."""
        ...


@runtime_checkable
class ReportingState(DecodingState, Protocol):
    """A state that reports what its model computes, as far as the call's inputs ask for it (``output_attentions``)."""

    def reports(self) -> Mapping[str, tuple[Tensor, ...]]:
        """Of the last `prefill` or `step`: by name what each layer gave, ``(R, …)``; of a prefill ``(B, …)``."""
        ...

    def source_reports(self) -> Mapping[str, tuple[Tensor, ...]]:
        """What an encoder gave."""
        ...


def check_used(inputs: Mapping[str, object], used: Collection[str]) -> None:
    """Raise `InputError` for an input that a state would ignore, of those that a call of the model takes."""
    for name in sorted(inputs.keys() - set(used)):
        cure = hint("generate", f"generate({name}=…)") or f"it takes {', '.join(sorted(used))}"
        raise InputError(f"{name}: generation has no use for it; {cure}")


class RowByRow(ABC):
    """The rows of a state that holds everything row by row, so that all of it is repeated and selected alike."""

    def __init__(self, sources: int, device: torch.device) -> None:
        self._rows = self._sources = sources
        self._device = device

    @abstractmethod
    def take(self, rows: Tensor) -> None:
        """Row ``i`` becomes what row ``rows[i]`` was, in everything that the state holds."""

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row."""
        self.reorder(copied_rows(self._rows, copies, self._device))

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, always within its source."""
        self._rows = len(rows)
        self.take(rows)

    def select(self, sources: Tensor) -> None:
        """Keep only these sources, with all their rows."""
        rows = rows_of_sources(sources, self._rows // self._sources)
        self._sources = len(sources)
        self.reorder(rows)


class _Config(Protocol):
    @property
    def is_encoder_decoder(self) -> bool: ...


class _Architecture(Protocol):
    @property
    def decoding(self) -> Any: ...


class GenerativeModel(Protocol):
    """What `generate` reads of a model."""

    @property
    def config(self) -> _Config:
        """Says whether there is an encoder."""
        ...

    @property
    def architecture(self) -> _Architecture:
        """Its ``decoding`` is ``(model, inputs) -> DecodingState``, or ``None`` where the model cannot generate."""
        ...

    @property
    def generation_options(self) -> "GenerationOptions":
        """The defaults of this checkpoint."""
        ...

    @property
    def most_read(self) -> int | None:
        """The most tokens of a text of which it writes the next one, ``None`` where there is no limit."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        ...

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs that a call of the model takes."""
        ...

    def check_types(self, inputs: Mapping[str, Any]) -> None:
        """Raise `InputError` for an input of a type that no call takes."""
        ...
