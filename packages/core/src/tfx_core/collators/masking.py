"""Masked language modelling: which tokens a batch hides (Devlin et al. 2019, §3.1)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from tfx_core.collators.padding import Padding, check_rows, real_tokens
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_core.text import Batch, Tokenizer

_MARKS = ("##", "▁", "Ġ")
"""How a piece begins that continues a word (the first), or begins one."""


class MaskedTokens(Padding):
    """`Padding`, with tokens to be guessed: of ``probability`` of all, or of whole words, the labels are the tokens.

    Of those, 80 % become the mask token, 10 % any token of the vocabulary, 10 % stay. Special tokens and padding never
    count. The draws are torch's own, or with a ``seed`` the collator's, so that the same batches in the same order are
    masked alike; in workers of a data loader they also depend on the seed that torch gives these in each epoch. A word
    is told by ``word_ids`` in the rows, else by its pieces.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        probability: float = 0.15,
        whole_words: bool = False,
        seed: int | None = None,
        pad_to_multiple_of: int | None = None,
    ) -> None:
        super().__init__(tokenizer, pad_to_multiple_of=pad_to_multiple_of)
        if not 0 < probability <= 1:
            raise InputError(f"probability={probability!r}: must be more than 0, at most 1")
        if tokenizer.mask_token_id is None:
            raise InputError("this tokenizer has no mask_token; set one, or take a collator for another kind of model")
        self.probability = probability
        self.whole_words = whole_words
        self.seed = seed
        self._seeded: tuple[int | None, torch.Generator | None] = None, None

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """The batch, with ``labels`` ``(B, S)``, -100 where nothing is to be guessed."""
        check_rows(rows)
        words = [row["word_ids"] if "word_ids" in row else self._words(list(row["input_ids"])) for row in rows]
        dropped = ("labels", "word_ids", "special_tokens_mask", "offset_mapping")
        batch = super().__call__([{name: row[name] for name in row if name not in dropped} for row in rows])
        ids = batch["input_ids"]
        real = real_tokens(batch, rows, self.tokenizer)
        chosen = torch.zeros(ids.shape, dtype=torch.bool)
        chosen[real] = torch.tensor([each for row in words for each in self._draw(row)], dtype=torch.bool)
        chosen &= ~torch.isin(ids, self._special)
        batch["labels"] = ids.masked_fill(~chosen, IGNORED)
        batch["input_ids"] = self._hidden(ids, chosen)
        return batch

    def _hidden(self, ids: Tensor, chosen: Tensor) -> Tensor:
        """Ids ``(B, S)`` with what is chosen hidden, changed or left."""
        fate = torch.rand(ids.shape, generator=self._generator)
        ids = ids.masked_fill(chosen & (fate < 0.8), int(self.tokenizer.mask_token_id or 0))
        anything = self._usual[torch.randint(len(self._usual), ids.shape, generator=self._generator)]
        return torch.where(chosen & (fate >= 0.9), anything, ids)

    def _draw(self, words: Sequence[int | None]) -> list[bool]:
        """For each token whether it is to be guessed; tokens of one word share their lot, those of none have none."""
        count = max((word for word in words if word is not None), default=-1) + 1
        lots = (torch.rand(count, generator=self._generator) < self.probability).tolist()
        return [word is not None and lots[word] for word in words]

    def _words(self, ids: Sequence[int]) -> list[int | None]:
        """The number of each token's word; without whole words each is one."""
        if not self.whole_words:
            return list(range(len(ids)))
        word, numbers = -1, list[int | None]()
        for place, token in enumerate(self.tokenizer.convert_ids_to_tokens(ids)):
            word += place == 0 or token.startswith(self._mark) == (self._mark != "##")
            numbers.append(word)
        return numbers

    @cached_property
    def _mark(self) -> str:
        tokens = self.tokenizer.get_vocab()
        return max(_MARKS, key=lambda mark: sum(token.startswith(mark) for token in tokens))

    @cached_property
    def _special(self) -> Tensor:
        return torch.tensor(sorted(self.tokenizer.all_special_ids))

    @cached_property
    def _usual(self) -> Tensor:
        """All ids but those of special tokens."""
        return torch.tensor(sorted({*self.tokenizer.get_vocab().values()} - {*self.tokenizer.all_special_ids}))

    @property
    def _generator(self) -> torch.Generator | None:
        """Of this process and epoch."""
        worker = get_worker_info()
        seed = None if self.seed is None else self.seed + (0 if worker is None else worker.seed)
        if seed != self._seeded[0]:
            self._seeded = seed, None if seed is None else torch.Generator().manual_seed(seed)
        return self._seeded[1]
