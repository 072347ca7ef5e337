"""Each token from all before it, in segments that follow one another (Dai et al. 2019, §3.2)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.objective import Batch, Example, Outcome, Trainee
from tfx_training.objectives.causal import OfBytes
from tfx_training.rows import Blocks
from tfx_training.streams import side_by_side


class Reader(Trainee):
    """A model that goes on from what it remembers of the segments before."""

    def forward(self, batch: Mapping[str, Tensor], carried: Sequence[Tensor] | None = None) -> Outcome:
        """The loss of a segment, and what is remembered after it, of each layer a tensor ``(slots, B, D)``.

        They are detached, on the batch's device, and no more than the config's ``mem_len`` slots; without any, ``None``
        is carried. Without ``carried`` texts begin, with a memory that is empty.
        """
        model = self.model("model")
        mems = self.empty(model, len(batch["input_ids"])) if carried is None else carried
        output = model(**batch, mems=mems, return_dict=True)
        remembered = output.get("mems")
        return Outcome({"loss": output.loss}, carried=None if remembered is None else tuple(remembered))

    @staticmethod
    def empty(model: Model, rows: int) -> tuple[Tensor, ...]:
        """A memory of nothing; without one a call reads on from a blank one, which takes part."""
        config: Any = model.config
        return (next(model.parameters()).new_zeros(0, rows, model.backbone.width),) * int(config.num_hidden_layers)


class Segments(OfBytes[Tokens]):
    """All documents as one text, an end token behind each if there is one, read by ``batch_size`` readers at once.

    Each reads a stretch of it, segment by segment of ``length`` tokens, and remembers; the token after a segment is
    predicted, too, so that none is left out. Every epoch begins anew at the same places, with nothing remembered.

    Source: Dai et al. 2019, https://arxiv.org/abs/1901.02860; ``LMOrderedIterator`` of pytorch/data_utils.py and
    pytorch/train.py of kimiyoung/transformer-xl. There a stretch ends with a shorter segment, here with a whole one.
    How much is remembered is the model's ``mem_len``: the released ones learned with as much as a segment has, and
    without ``same_length``; they were evaluated with both ``same_length`` and a longer memory.
    """

    roles: ClassVar = {"model": "causal-lm"}

    follows = True

    def __init__(self, tokenizer: Tokenizer, *, length: int = 150) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Blocks:
        """Segments in the order of the text, each with the token after it."""
        return Blocks(corpus, self.length, self._between, ahead=1)

    def order(self, rows: Sequence[Tokens], batch_size: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Batches ``(batches, batch_size)``, a column of which is a reader: its segments follow one another.

        Nothing is drawn. Fewer than ``batch_size`` segments at the end are left out.
        """
        return side_by_side(len(rows), batch_size)

    def example(self, row: Tokens, generator: np.random.Generator) -> Example:
        """The tokens and the one after them; nothing is drawn."""
        return {"tokens": row.ids}

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids`` ``(B, length)``, and ``labels`` ``(B, length + 1)``, which the model shifts."""
        labels = torch.from_numpy(np.stack([example["tokens"] for example in examples]))
        return {"input_ids": labels[:, :-1], "labels": labels}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """All tokens but the first of each row, with the one after it."""
        return {"loss": batch["input_ids"].numel()}

    def trainee(self, models: Mapping[str, Model]) -> Reader:
        """The model; raises `InputError` for one that remembers nothing by its kind."""
        self.check_roles(models)
        model = models["model"]
        if "mems" not in model.input_names:
            raise InputError(f"{model.config.model_type}: this model has no memory of segments; learn with 'causal'")
        return Reader(models)
