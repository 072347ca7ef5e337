"""Fragments of a text from the rest, each token also from further before it: how ProphetNet was pretrained."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Above, Size, checked
from tfx_core.model.heads import IGNORED, token_loss
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.objective import Batch, Example, Objective, Outcome, Trainee, padded, share_right
from tfx_training.objectives.fragments import fragments, places_in_fragments
from tfx_training.objectives.masking import replaced, usual_ids
from tfx_training.rows import Blocks
from tfx_training.special_tokens import role_id


class Foreseeing(Trainee):
    """A model whose ``n`` streams each predict a token, the further ones from further before it."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The mean over all labels ``(B, n, T)`` that count, of all streams alike (`NgramLmLoss` of the code)."""
        model, labels = self.model("model"), batch["labels"]
        output = model(**{name: column for name, column in batch.items() if name != "labels"})
        first = output.logits[:, None]
        further = output.get("logits_ngram")
        logits = first if further is None else torch.cat((first, further), dim=1)  # (B, n, T, V)
        loss = token_loss(logits, labels, smoothing=getattr(model.config, "eps", 0.0))
        assert loss is not None
        right = {} if self.training else {"loss": share_right(output.logits.argmax(-1), labels[:, 0])}
        return Outcome({"loss": loss}, right)


class FutureNGrams(Objective[TokenCorpus, Tokens]):
    """Rows of ``length`` tokens, special ones included, with a fragment hidden in each ``block`` of them.

    Of what is hidden 80 % are masked for the encoder, 10 % are any token and 10 % stay; the decoder reads the tokens
    before those hidden, where they stand in the text, and each of ``ngram`` streams predicts, the second not the first
    token of a fragment, and so on: a fragment is never predicted from another one's end. Documents follow one another,
    behind each a ``[SEP]``, which is hidden like any token (Qi et al. 2020, §2.4 and §3.1; ``ngram_s2s_model.py`` and
    ``ngram_criterions.py`` of microsoft/ProphetNet, which was pretrained with the data of microsoft/MASS).
    """

    roles: ClassVar = {"model": "conditional-generation"}

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 511,
        share: float = 0.15,
        block: int = 64,
        ngram: int = 2,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.share = checked(share, Annotated[float, Above(0, 1)], "share", InputError)
        self.block = checked(block, Size, "block", InputError)
        self.ngram = checked(ngram, Size, "ngram", InputError)
        self._mask = role_id(tokenizer, "mask_token")
        self._end = role_id(tokenizer, "sep_token")
        self._usual = usual_ids(tokenizer)
        if int(min(self.block, self.length - 2) * self.share) < 1:
            raise InputError(
                f"length={length}, share={share}, block={block}: no token would be hidden; make one of them greater"
            )

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Blocks:
        """Rows of a token less than ``length``, from any place of the first row on."""
        return Blocks(corpus, self.length - 1, (self._end,), begin=generator)

    def example(self, row: Tokens, generator: np.random.Generator) -> Example:
        """``input_ids`` ``(length,)``, and of the hidden tokens ``(T,)`` what is read, where, and the labels."""
        ids = row.ids
        places = fragments(len(ids), generator, share=self.share, block=self.block)
        hidden = np.zeros(len(ids), dtype=np.bool_)
        hidden[places] = True
        stream = np.arange(self.ngram)[:, None]  # (n, 1)
        return {
            "input_ids": np.append(replaced(ids, hidden, self._mask, self._usual, generator), self._end),
            "decoder_input_ids": ids[places - 1],
            "decoder_position_ids": places - 1,
            "labels": np.where(places_in_fragments(places) >= stream, ids[places], IGNORED),
        }

    def batch(self, examples: Sequence[Example]) -> Batch:
        """The columns of the examples, ``labels`` ``(B, ngram, T)``; rows are alike."""
        return padded(examples, {})

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model; raises `InputError` for one of another number of streams."""
        self.check_roles(models)
        config = models["model"].config
        streams = getattr(config, "ngram", 1)
        if streams != self.ngram or getattr(config, "disable_ngram_loss", False):
            raise InputError(
                f"the model has ngram={streams}, disable_ngram_loss={getattr(config, 'disable_ngram_loss', False)}; "
                f"this objective has ngram={self.ngram} and needs a loss of all: give both the same ngram"
            )
        return Foreseeing(models)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """Texts and targets end with ``[SEP]``, and targets begin with it, as in the released models."""
        ends = dict.fromkeys(("bos_token_id", "eos_token_id", "decoder_start_token_id"), self._end)
        pad = role_id(self.tokenizer, "pad_token")
        return {**super().of_tokenizer(), **ends, "pad_token_id": pad, "ngram": self.ngram}
