"""Each token from those before it, in packed texts (Radford et al. 2018, §3.1; 2019, §2)."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Between, checked
from tfx_core.model import load_architecture
from tfx_core.model.heads import IGNORED, next_labels
from tfx_training.corpus import TokenCorpus
from tfx_training.corpus.tokens import Ids
from tfx_training.languages import check_groups, counted_languages, documents_by_group, language_numbers
from tfx_training.objective import Batch, Example, Objective, Outcome, Row, Trainee, padded, share_right
from tfx_training.rows import Blocks, Rows

Boundaries: TypeAlias = Literal["joined", "apart"]
"""Whether tokens see the documents before theirs in a row."""


class Stretch(NamedTuple):
    """Documents in a row."""

    ids: Ids
    """``(n,)``"""

    begins: NDArray[np.int64]
    """The places, but the first, at which documents begin."""

    group: str
    """The language or control code of all of them."""


class Stretches(Rows[Stretch]):
    """The rows of each group, those of one after those of another."""

    def __init__(self, blocks: Mapping[str, Blocks]) -> None:
        self._names = list(blocks)
        self._blocks = list(blocks.values())
        self._ends = np.cumsum([len(each) for each in self._blocks])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def row(self, number: int) -> Stretch:
        """The row."""
        group = int(np.searchsorted(self._ends, number, side="right"))
        blocks = self._blocks[group]
        number -= int(self._ends[group]) - len(blocks)
        return Stretch(blocks[number].ids, blocks.begins(number), self._names[group])


class Writer(Trainee):
    """A model that predicts the token after each."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The loss of a batch, whose labels stand where their tokens do."""
        model = self.model("model")
        after = next_labels(batch["labels"])
        # a head that is told what stands at each place is told what stands after it
        labels = batch["labels"] if model.language_head.next_token else after
        output = model(**{**batch, "labels": labels}, return_dict=True)
        right = {} if self.training else {"loss": share_right(output.logits.argmax(-1), after)}
        return Outcome({"loss": output.loss}, right)


class OfBytes(Objective[TokenCorpus, Row]):
    """Learns all tokens of its texts, one after another, and is measured by the bits for a byte of them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self._between = end_of(tokenizer)

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: TokenCorpus
    ) -> Mapping[str, float]:
        """The loss, how often the best guess was the next token where that is counted, and the bits for a byte."""
        bits = bits_per_byte(losses["loss"], corpus, self._between)
        return {"bits per byte": bits, **super().measures(losses, right, corpus)}

    @property
    def main_measure(self) -> str:
        """Bits per byte, which do not depend on the tokenizer."""
        return "bits per byte"


class NextTokens(OfBytes[Stretch]):
    """Rows of ``length`` tokens out of all documents after one another, behind each an end token if there is one.

    Nothing else separates the documents of a row, as in the released GPT and GPT-2, unless they are ``"apart"``: then
    each has positions of its own, its tokens do not see those before it, and its first one is not to be predicted. Each
    epoch cuts at other places, and what is left at the end is no row.

    Where a tokenizer has control codes, a row is of documents of one, which stands in front of it; where it has
    languages, a row is in one. That is a document's group; a group with fewer tokens than a row has none.

    Source: Radford et al. 2018, §3.1, and 2019, §2; Kitaev et al. 2020. CTRL's code: Keskar et al. 2019, §3, and
    training_utils/make_tf_records.py of salesforce/ctrl. XLM: Lample and Conneau 2019, §3.2, and ``StreamDataset`` of
    xlm/data/dataset.py of facebookresearch/XLM; each of its documents is a sentence.
    """

    roles: ClassVar = {"model": "causal-lm"}

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512, documents: Boundaries = "joined") -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Annotated[int, Between(2)], "length", InputError)
        self.apart = checked(documents, Boundaries, "documents", InputError) == "apart"
        self.codes = tokenizer.control_codes
        self.languages = language_numbers(tokenizer)
        if self.codes and self.apart:
            raise InputError(
                'documents="apart": a row has one control code, in front, which its other documents would not see; '
                'leave them "joined"'
            )

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Stretches:
        """Rows of each group, from any place of its first row on."""
        blocks, groups = {}, self._groups(corpus)
        room = self.length - bool(self.codes)
        for name, documents in groups.items():
            try:
                blocks[name] = Blocks(corpus, room, self._between, begin=generator, documents=documents)
            except InputError:
                if len(groups) == 1:
                    raise
        if not blocks:
            raise InputError(f"length={self.length}: no group of the corpus has enough tokens for one row")
        return Stretches(blocks)

    def _groups(self, corpus: TokenCorpus) -> Mapping[str, NDArray[np.int64] | None]:
        """The documents of each group, where groups are something to the tokenizer."""
        known = self.codes or self.languages
        if not known:
            return {"": None}
        check_groups(corpus, known, "control code" if self.codes else "language")
        return dict(zip(corpus.group_names, documents_by_group(corpus), strict=True))

    def example(self, row: Stretch, generator: np.random.Generator) -> Example:
        """The tokens, with what tells their documents and language; nothing is drawn."""
        ids = np.concatenate([[self.codes[row.group]], row.ids]) if self.codes else row.ids
        example = {"input_ids": ids, "labels": ids}
        if self.apart:
            places = np.arange(len(ids))
            firsts = np.zeros(len(ids), dtype=np.int64)
            firsts[row.begins] = row.begins
            example["position_ids"] = places - np.maximum.accumulate(firsts)
            example["labels"] = np.where(example["position_ids"] == 0, IGNORED, ids)
        if self.languages:
            example["langs"] = np.full(len(ids), self.languages[row.group])
        return example

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids`` and ``labels`` ``(B, length)``, which the model shifts, ``position_ids`` and ``langs``."""
        return padded(examples, {})

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """All tokens but the first of each row, and of each document that is apart."""
        return {"loss": int((batch["labels"][:, 1:] != IGNORED).sum())}

    def trainee(self, models: Mapping[str, Model]) -> Writer:
        """The model; raises `InputError` for one whose tokens see what follows, or that cannot hold texts apart."""
        self.check_roles(models)
        model = models["model"]
        if not model.backbone.causal:
            raise InputError(
                f"{model.config.model_type}: the tokens of this model see those that they have to predict: its config "
                "needs causal=true"
            )
        if self.apart and "position_ids" not in model.input_names:
            raise InputError(
                f'documents="apart": a {model.config.model_type} takes no position_ids, which tell documents apart; '
                'leave them "joined"'
            )
        return Writer(models)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The size of the vocabulary, and how many languages there are where there are several."""
        return {**super().of_tokenizer(), **counted_languages(self.languages)}

    def new_models(self, model_type: str, *, seed: int, **config: Any) -> Mapping[str, Model]:
        """A new model that sees no token that follows, where its config may say so."""
        causal = {"causal": True} if "causal" in load_architecture(model_type).config.field_names() else {}
        return super().new_models(model_type, seed=seed, **{**causal, **config})


def end_of(tokenizer: Tokenizer) -> tuple[int, ...]:
    """What stands behind a text that others follow: its end token, else what ends one for models that read; or none."""
    ends = (tokenizer.eos_token_id, tokenizer.sep_token_id)
    return next(((token,) for token in ends if token is not None), ())


def bits_per_byte(loss: float, corpus: TokenCorpus, between: Sequence[int]) -> float:
    """The bits for a byte of the texts, of the mean loss of a token in nats.

    The tokens that no row has, or that begin one, are taken to be as hard as the others; what stands between documents
    counts as tokens and not as bytes.
    """
    tokens = len(corpus.ids) + len(between) * len(corpus)
    return loss / math.log(2) * tokens / corpus.size
