"""Each token from those before it, in packed texts (Radford et al. 2018, §3.1; 2019, §2)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.objective import Batch, Example, Objective, padded
from tfx_training.rows import Blocks


class NextTokens(Objective[TokenCorpus, Tokens]):
    """Rows of ``length`` tokens out of all documents after one another, behind each an end token if there is one.

    Nothing else separates the documents of a row, as in the released GPT and GPT-2. Each epoch cuts at other places.
    """

    roles: ClassVar = {"model": "causal-lm"}

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self._between = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Blocks:
        """Rows of ``length`` tokens, from any place of the first row on."""
        most = max(1, min(self.length, self._tokens(corpus) - self.length))
        return Blocks(corpus, self.length, self._between, begin=int(generator.integers(most)))

    def example(self, row: Tokens, generator: np.random.Generator) -> Example:
        """The tokens; nothing is drawn."""
        return {"input_ids": row.ids}

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids`` ``(B, length)``, and the same as labels: the model shifts them."""
        batch = padded(examples, {})
        return {**batch, "labels": batch["input_ids"]}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """All tokens but the first of each row."""
        rows, length = batch["labels"].shape
        return {"loss": rows * (length - 1)}

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: TokenCorpus
    ) -> Mapping[str, float]:
        """The loss, and the bits for a byte of the text."""
        tokens_of_a_byte = self._tokens(corpus) / corpus.size
        return {"loss": losses["loss"], "bits per byte": losses["loss"] / math.log(2) * tokens_of_a_byte}

    def _tokens(self, corpus: TokenCorpus) -> int:
        """How many there are, with those between documents."""
        return len(corpus.ids) + len(self._between) * len(corpus)

    @property
    def main_measure(self) -> str:
        """Bits per byte, which do not depend on the tokenizer."""
        return "bits per byte"
