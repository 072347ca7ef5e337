"""Rows of which some tokens are hidden, for objectives with two models."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Above, Rate, Size, checked
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Flags, Ids
from tfx_training.objective import Batch, Example, Objective, padded
from tfx_training.rows import Blocks


class HiddenTokens(Objective[TokenCorpus, Tokens]):
    """Rows of ``length`` tokens, special ones included, of which a ``share`` of the others is hidden.

    A hidden token becomes the mask token with the probability ``masked``, any other token with ``changed``, or stays.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, length: int = 512, share: float = 0.15, masked: float, changed: float
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.share = checked(share, Annotated[float, Above(0, 1)], "share", InputError)
        self.fates = checked(masked, Rate, "masked", InputError), checked(changed, Rate, "changed", InputError)
        if tokenizer.mask_token_id is None:
            raise InputError("this tokenizer has no mask_token; set one, or take an objective without masks")
        self._mask: int = tokenizer.mask_token_id
        self._usual = np.setdiff1d([*tokenizer.get_vocab().values()], tokenizer.all_special_ids)
        self._text = length - tokenizer.num_special_tokens_to_add()
        if self._text < 1:
            raise InputError(f"length={length}: special tokens alone are {length - self._text}; make it larger")

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Blocks:
        """Rows of text out of all documents after one another, from any place of the first row on."""
        most = max(1, min(self._text, len(corpus.ids) - self._text))
        return Blocks(corpus, self._text, begin=int(generator.integers(most)))

    def example(self, row: Tokens, generator: np.random.Generator) -> Example:
        """The row between its special tokens, some of it hidden, with ``labels``, `IGNORED` where nothing is."""
        own = row.ids.tolist()
        ids = np.asarray(self.tokenizer.build_inputs_with_special_tokens(own), dtype=np.int64)
        maskable = np.asarray(self.tokenizer.get_special_tokens_mask(own)) == 0
        hidden = chosen(maskable & ~np.isin(ids, self.tokenizer.all_special_ids), self.share, generator)
        example = {
            "input_ids": replaced(ids, hidden, self._mask, self._usual, *self.fates, generator),
            "attention_mask": np.ones(len(ids), dtype=np.int64),
            "labels": np.where(hidden, ids, IGNORED),
        }
        if "token_type_ids" in self.tokenizer.model_input_names:
            types = self.tokenizer.create_token_type_ids_from_sequences(own)
            example["token_type_ids"] = np.asarray(types, dtype=np.int64)
        return example

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids``, ``attention_mask``, ``labels`` and ``token_type_ids`` where there are any, ``(B, S)`` each."""
        pad = self.tokenizer.pad_token_id or 0
        types = self.tokenizer.pad_token_type_id
        return padded(examples, {"input_ids": pad, "attention_mask": 0, "labels": IGNORED, "token_type_ids": types})

    def of_each(self, batch: Batch) -> Mapping[str, int]:
        """How many tokens are hidden, and how many there are."""
        return {"hidden": int((batch["labels"] != IGNORED).sum()), "real": int(batch["attention_mask"].sum())}


def chosen(maskable: Flags, share: float, generator: np.random.Generator) -> Flags:
    """Which tokens ``(n,)`` are hidden: of the maskable ones a ``share``, rounded, at least one, drawn evenly.

    Source: Devlin et al. 2019, §3.1; google-research/bert, ``create_pretraining_data.py``.
    """
    places = np.flatnonzero(maskable)
    count = min(len(places), max(1, round(share * len(places))))
    hidden = np.zeros(len(maskable), dtype=np.bool_)
    hidden[generator.choice(places, size=count, replace=False)] = True
    return hidden


def replaced(
    ids: Ids, hidden: Flags, mask: int, usual: Ids, masked: float, changed: float, generator: np.random.Generator
) -> Ids:
    """The ids with the hidden ones masked, with the probability ``masked``, changed to any usual one, or as they are.

    Source: Devlin et al. 2019, §3.1; google-research/bert, ``create_pretraining_data.py``.
    """
    fate = generator.random(len(ids))
    anything = usual[generator.integers(len(usual), size=len(ids))]
    ids = np.where(hidden & (fate < masked), mask, ids)
    return np.where(hidden & (fate >= masked) & (fate < masked + changed), anything, ids)
