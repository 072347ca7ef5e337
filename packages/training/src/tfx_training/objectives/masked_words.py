"""Hidden words from those around them (Devlin et al. 2019, §3.1), hidden anew in each epoch (Liu et al. 2019, §4).

Rows are RoBERTa's: ``token_block_dataset.py`` and ``mask_tokens_dataset.py`` of fairseq.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Positive, Size, checked
from tfx_core.model import ModelOutput
from tfx_core.model.heads import IGNORED, token_loss
from tfx_training.corpus import TokenCorpus
from tfx_training.framing import Framing
from tfx_training.languages import counted_languages, language_numbers
from tfx_training.objective import Batch, Example, Objective, Outcome, Trainee, padded
from tfx_training.objectives.masking import Masking
from tfx_training.packing import Meeting, Packed, PackedRows, Packing, packed_rows
from tfx_training.special_tokens import role_id


class GuessingTrainee(Trainee):
    """A model that guesses hidden tokens: its logits are computed at these alone."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The mean over the labels ``(B, S)`` that count."""
        (model,) = self.models.values()
        assert isinstance(model, Model)
        output, labels = guessed(model, batch)
        return Outcome({"loss": mean_loss(output.logits, labels)}, self.rightly({"loss": (output.logits, labels)}))

    def rightly(self, guesses: Mapping[str, tuple[Tensor, Tensor]]) -> Mapping[str, Tensor]:
        """For each term how often the highest logit ``(N, V)`` is the label ``(N,)``, while evaluating."""
        if self.training:
            return {}
        return {term: (logits.argmax(-1) == labels).float().mean() for term, (logits, labels) in guesses.items()}


def guessed(model: Model, batch: Mapping[str, Tensor]) -> tuple[ModelOutput, Tensor]:
    """The model's output with logits ``(N, V)`` of the hidden tokens of a batch, and their labels ``(N,)``.

    The model gets those columns that it takes.
    """
    hidden = batch["labels"] != IGNORED
    inputs = {name: x for name, x in batch.items() if name in model.input_names and "label" not in name}
    return model(**inputs, logits_positions=hidden.nonzero(), return_dict=True), batch["labels"][hidden]


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy."""
    loss = token_loss(logits, labels)
    assert loss is not None
    return loss


class HiddenWords(Objective[TokenCorpus, Packed]):
    """Rows of at most ``length`` tokens, of which 15 % are hidden, at random or by whole words.

    Rows are filled with sentences, across documents, between which a separator stands, or as ``packing`` says. Each is
    of one language; languages are read as often as their share to the power of ``language_exponent`` says, by default
    XLM-R's (XLM has 0.5). A model that is told languages gets them by the ``lang2id`` of its tokenizer.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        packing: Packing = "full-sentences",
        separated: Meeting = "documents",
        whole_words: bool = False,
        share: float = 0.15,
        language_exponent: float = 0.3,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.packing = checked(packing, Packing, "packing", InputError)
        self.separated = checked(separated, Meeting, "separated", InputError)
        self.language_exponent = checked(language_exponent, Positive, "language_exponent", InputError)
        whole = checked(whole_words, bool, "whole_words", InputError)
        self.masking = Masking(tokenizer, share=share, unit="words" if whole else "tokens")
        self._framing = Framing(tokenizer)
        self._room = self._framing.room(self.length, 1)
        self._separator = role_id(tokenizer, "sep_token", "eos_token")
        self._padding = role_id(tokenizer, "pad_token")
        self._languages = language_numbers(tokenizer)

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> PackedRows:
        """The rows of all languages."""
        used = {corpus.group_names[group] for group in np.unique(corpus.groups)}
        unknown = used - self._languages.keys()
        if self._languages and unknown and used != {""}:
            raise InputError(
                f"the corpus has texts in {sorted(unknown)}; the lang2id of the tokenizer has "
                f"{sorted(self._languages)}: name the languages of the corpus as it does, of all texts or of none"
            )
        return packed_rows(
            corpus,
            self._separator,
            self._room,
            generator,
            packing=self.packing,
            between=self.separated,
            exponent=self.language_exponent,
        )

    def example(self, row: Packed, generator: np.random.Generator) -> Example:
        """The row with special tokens around it, hidden in part."""
        framed = self._framing(row.tokens).tokens
        masked = self.masking(framed, generator)
        columns = {"input_ids": masked.ids, "attention_mask": np.ones_like(masked.ids), "labels": masked.labels}
        if row.group in self._languages:
            columns["langs"] = np.full_like(masked.ids, self._languages[row.group])
        return columns

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids``, ``attention_mask``, ``labels`` and, where the tokenizer has numbers for them, ``langs``.

        All ``(B, S)``. There are no token types: where a model has any, those of one text are its default.
        """
        fill = {"input_ids": self._padding, "attention_mask": 0, "labels": IGNORED, "langs": 0}
        return padded(examples, fill)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The number of languages, too, where it tells any."""
        return {**super().of_tokenizer(), **counted_languages(self._languages)}


class MaskedWords(HiddenWords):
    """A model guesses what is hidden of such rows."""

    roles: ClassVar = {"model": "masked-lm"}

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model, with logits of hidden words alone."""
        self.check_roles(models)
        return GuessingTrainee(models)

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: TokenCorpus
    ) -> Mapping[str, float]:
        """The loss, the perplexity of hidden words, and how many are guessed."""
        return {"perplexity": math.exp(min(losses["loss"], 700)), **super().measures(losses, right, corpus)}

    @property
    def main_measure(self) -> str:
        """The perplexity."""
        return "perplexity"
