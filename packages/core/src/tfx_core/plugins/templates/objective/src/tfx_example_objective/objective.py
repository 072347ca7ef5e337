"""The objective: how a corpus becomes rows, rows become batches, and what of them is to be learnt."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import torch
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Between, Rate, checked
from tfx_core.model.heads import IGNORED
from tfx_training import Objective, TokenCorpus
from torch import Tensor


class Row(NamedTuple):
    """A document by its number: rows are read when they are asked for, for a corpus may be larger than memory."""

    corpus: TokenCorpus
    number: int


class ExampleObjective(Objective[TokenCorpus, Row]):
    """Texts of at most ``length`` tokens, of each of which the model learns what follows its beginning.

    The beginning is at most the share ``given`` of it, and another one in every epoch.
    """

    roles: ClassVar = {"model": "causal-lm"}  # the models that are trained, each with the head that it needs

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512, given: float = 0.5) -> None:
        """Options have names, published defaults, and values that are checked: ``--option length=128``."""
        super().__init__(tokenizer)
        self.length = checked(length, Annotated[int, Between(2)], "length", InputError)
        self.given = checked(given, Rate, "given", InputError)

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Sequence[Row]:
        """All documents of two tokens or more."""
        ends = corpus.sentence_ends[corpus.document_ends - 1]
        numbers = np.flatnonzero(np.diff(ends, prepend=0) >= 2)
        if not len(numbers):
            raise InputError("example-objective: no document has two tokens, the least to learn from")
        return [Row(corpus, number) for number in numbers.tolist()]

    def example(self, row: Row, generator: np.random.Generator) -> dict[str, Any]:
        """What a row becomes this time; everything that is drawn comes from the generator, so that it can be again."""
        ids = row.corpus.document(row.number).ids[: self.length]
        labels = ids.copy()
        labels[: 1 + int(generator.random() * self.given * (len(ids) - 1))] = IGNORED
        return {"input_ids": ids, "labels": labels}

    def batch(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        """Inputs of the model, ``(B, S)`` each; padding counts nowhere."""
        width = max(len(example["input_ids"]) for example in examples)

        def filled(name: str, value: int) -> Tensor:
            rows = [np.pad(each[name], (0, width - len(each[name])), constant_values=value) for each in examples]
            return torch.from_numpy(np.stack(rows))

        mask = [[1] * len(example["input_ids"]) for example in examples]
        return {
            "input_ids": filled("input_ids", self.tokenizer.pad_token_id or 0),
            "attention_mask": torch.tensor([row + [0] * (width - len(row)) for row in mask]),
            "labels": filled("labels", IGNORED),
        }
