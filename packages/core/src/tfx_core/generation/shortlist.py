"""A vocabulary shortlist: of a translation's tokens only those are computed that its source makes likely.

As in Marian's decoder (Junczys-Dowmunt et al. 2018; first L'Hostis et al. 2016): the most frequent tokens, and for
each token of the source those that translate it best.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.generation.lexical_table import NO_TOKEN, LexicalTable
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.prompts import Prompts
from tfx_core.nn import for_inference

if TYPE_CHECKING:
    from tfx_core.generation.state import DecodingState
    from tfx_core.text import Tokenizer

FIRST, BEST = 100, 100
"""How many of the most frequent tokens there are, and how many for each token of a source."""


class Shortlist:
    """Candidates for each source: of a `LexicalTable` the ``first`` most frequent tokens, and ``best`` for each token.

    Where the table does not tell how frequent tokens are, these are those with the smallest ids, as in Marian.
    """

    def __init__(self, table: LexicalTable, *, first: int = FIRST, best: int = BEST) -> None:
        likely = table.probabilities.argsort(descending=True, stable=True)
        found: dict[int, list[int]] = {}
        for source, target in zip(table.sources[likely].tolist(), table.targets[likely].tolist(), strict=True):
            tokens = found.setdefault(source, [])
            if len(tokens) < (first if source == NO_TOKEN else best):
                tokens.append(target)
        self._always = found.pop(NO_TOKEN, [*range(first)])
        self._of_source = found

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], tokenizer: "Tokenizer", *, first: int = FIRST, best: int = BEST
    ) -> Self:
        """Of a file, as `LexicalTable.read` takes it."""
        return cls(LexicalTable.read(path, tokenizer), first=first, best=best)

    def candidates(self, source: Iterable[int]) -> set[int]:
        """Of a source's ids the tokens of its translation."""
        return {*self._always, *(token for number in set(source) for token in self._of_source.get(number, ()))}


class Narrowed:
    """The output layer for the candidates of a call's sources: logits are minus infinity for all other tokens.

    The layer computes the candidates of all sources together, and each source sees its own alone, so that no result
    depends on what else is in the batch.
    """

    def __init__(self, predictions: nn.Module, tokens: Tensor, allowed: Tensor, size: int) -> None:
        self._predictions = predictions
        self._tokens = tokens
        """``(n,)``."""
        self._barred = ~allowed
        """``(B, n)``."""
        self._size = size

    def __call__(self, states: Tensor) -> Tensor:
        """States ``(R, …, D)`` of the sources' rows -> logits ``(R, …, V)``."""
        few: Tensor = self._predictions(states)  # (R, …, n)
        by_source = few.view(len(self._barred), -1, few.shape[-1]).masked_fill(self._barred[:, None], float("-inf"))
        logits = few.new_full((*few.shape[:-1], self._size), float("-inf"))
        return logits.index_copy_(-1, self._tokens, by_source.view_as(few))

    def select(self, sources: Tensor) -> None:
        """Keep only these sources ``(B',)``."""
        self._barred = self._barred[sources]


@runtime_checkable
class NarrowPredictions(Protocol):
    """From states to logits of all tokens, or of some."""

    def only(self, tokens: Tensor) -> nn.Module:
        """The same for these tokens ``(n,)``: ``(…, D) -> (…, n)``; `InputError` where the layer cannot be cut."""
        ...


@runtime_checkable
class NarrowingState(Protocol):
    """A `DecodingState` that may be given another output layer."""

    def narrow(self, narrowed: Narrowed) -> None:
        """Compute logits by this one from now on."""
        ...


def narrow(
    model: Any, state: "DecodingState", shortlist: Shortlist, source: Prompts | None, options: GenerationOptions
) -> None:
    """Let a state compute the candidates of its sources alone, and what the ``options`` force or end a text with.

    Raises `InputError` for a model without a source to tell them by, and for options that need all logits.
    """
    if not isinstance(shortlist, Shortlist):
        raise InputError(
            f"shortlist of type {type(shortlist).__name__}: must be a tfx_core.generation.Shortlist, for example "
            "Shortlist.read(file, tokenizer)"
        )
    if not model.config.is_encoder_decoder:
        raise InputError("shortlist: a source says what its translation may have, and this model has no encoder")
    if source is None:
        raise InputError("shortlist: needs input_ids, which this call does not have")
    if options.guidance_scale != 1:
        raise InputError(f"shortlist contradicts guidance_scale={options.guidance_scale:g}, which needs all logits")
    predictions = model.language_head.predictions
    if not isinstance(state, NarrowingState) or not isinstance(predictions, NarrowPredictions):
        raise InputError(f"shortlist: the output layer of {type(model).__name__} cannot be cut to some tokens")
    size = len(model.get_output_embeddings().weight)
    always = _asked(options)
    lengths = source.lengths.tolist()
    rows = [
        {token for token in {*always, *shortlist.candidates(ids[:length])} if token < size}
        for ids, length in zip(source.ids.tolist(), lengths, strict=True)
    ]
    tokens = torch.tensor(sorted(set().union(*rows)))
    allowed = torch.stack([torch.isin(tokens, torch.tensor([*row])) for row in rows])
    device = source.ids.device
    few = for_inference(predictions.only(tokens.to(device)))
    state.narrow(Narrowed(few, tokens.to(device), allowed.to(device), size))


def _asked(options: GenerationOptions) -> list[int]:
    """Tokens that a text must be able to have."""
    forced = [] if options.forced_bos_token_id is None else [options.forced_bos_token_id]
    words = [token for word in options.force_words_ids or () for token in _flat(word)]
    return [*options.eos_ids, *options.forced_eos_ids, *forced, *words]


def _flat(word: Any) -> list[int]:
    return [word] if isinstance(word, int) else [token for part in word for token in _flat(part)]
