"""A text's most important sentences, out of the others (Zhang et al. 2020)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.fields import Above, Between, Rate, checked
from tfx_core.model.heads import IGNORED, LanguageHead, token_loss
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Ids
from tfx_training.objective import Batch, Example, Outcome, Trainee, padded, share_right
from tfx_training.objectives.gap_choice import Strategy, gaps, number_of_gaps, scored_as
from tfx_training.objectives.masking import usual_ids
from tfx_training.objectives.noises import Masks, word_numbers
from tfx_training.objectives.targets import Writing
from tfx_training.passages import Passage, Passages
from tfx_training.special_tokens import role_id

_PARTLY = Annotated[float, Above(0, 1)]


class Gapped(NamedTuple):
    """A text of whose sentences some are to be written."""

    text: Tokens
    """With a mask for each of those that are not left in it."""

    target: Ids
    """Them, one after another."""


def gapped(
    sentences: Sequence[Tokens], places: Sequence[int], mask: int, generator: np.random.Generator, *, kept: float = 0.0
) -> Gapped:
    """The sentences with those at ``places`` to be written; each is left in the text as often as ``kept`` says."""
    left = dict(zip(places, generator.random(len(places)) < kept, strict=True))
    gap = Tokens.of([mask])
    text = Tokens.of(())
    for place, sentence in enumerate(sentences):
        text += sentence if left.get(place, True) else gap
    return Gapped(text, np.concatenate([sentences[place].ids for place in places]))


def with_hidden_words(
    text: Tokens, masks: Masks, spared: int, generator: np.random.Generator, *, rate: float = 0.15
) -> tuple[Ids, Ids]:
    """A text of whose words some are hidden, and labels: their tokens, elsewhere `IGNORED`.

    These are max(1, ⌊rate · words⌋) words, without the token that is ``spared``. Of them 80 % are masked, 10 % become
    any tokens, and 10 % stay.
    """
    spare = text.ids == spared
    # no word goes on over it: the sentence behind it may begin without a blank
    starts = text.word_starts | spare
    starts[1:] |= spare[:-1]
    numbers = word_numbers(Tokens(text.ids, starts))
    words = np.unique(numbers[~spare])
    chosen = generator.choice(words, min(len(words), max(1, int(rate * len(words)))), replace=False)
    hidden = np.isin(numbers, chosen)
    fate = np.where(hidden, generator.random(len(numbers))[numbers], 1.0)
    ids = np.select([fate < 0.8, fate < 0.9], [masks.token, generator.choice(masks.others, len(numbers))], text.ids)
    return ids, np.where(hidden, text.ids, IGNORED)


class GapSentences(Writing[TokenCorpus, Passage]):
    """Whole sentences of a document up to ``length`` tokens, of which some are gaps and are to be written.

    Of the sentences a share between the two of ``ratios`` is chosen by a ``strategy`` (`gaps`). A share ``kept`` of
    them stays in the text, so that it can be copied; of each other one there is a ``sentence_mask``. What is written
    ends after ``target_length`` tokens, also in the middle of a sentence. Texts of one sentence are left out.

    Defaults are those of the released "mixed and stochastic" models: each sentence is scored for itself, with 20 %
    noise, from 15 to 45 % of them are gaps, a tenth of these stays in the text (in the paper's models a fifth). The
    original's noise is normal and smaller than its README says, which is followed here; it leaves stop words out of
    scores, here those that are given; and of a long document it takes the begin.
    Source: google-research/pegasus, ``pegasus/params/pegasus_params.py``, ``pegasus/ops/pretrain_parsing_ops.cc``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        target_length: int = 256,
        strategy: Strategy = "independent",
        unique: bool = False,
        ratios: tuple[float, float] = (0.15, 0.45),
        noise: float = 0.2,
        kept: float = 0.1,
        stop_words: Sequence[str] = (),
        sentence_mask: str = "<mask_1>",
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Annotated[int, Between(8)], "length", InputError)
        self.target_length = checked(target_length, Annotated[int, Between(8)], "target_length", InputError)
        self.strategy = checked(strategy, Strategy, "strategy", InputError)
        self.unique = checked(unique, bool, "unique", InputError)
        self.ratios = checked(ratios, tuple[_PARTLY, _PARTLY], "ratios", InputError)
        if self.ratios[0] > self.ratios[1]:
            raise InputError(f"ratios={shown(ratios)}: must be the least share of sentences and the largest")
        self.noise = checked(noise, Rate, "noise", InputError)
        self.kept = checked(kept, Rate, "kept", InputError)
        self._mask = self._known(sentence_mask)
        self._end = role_id(tokenizer, "eos_token")
        self._scored = scored_as(tokenizer, checked(stop_words, tuple[str, ...], "stop_words", InputError))

    def _known(self, token: str) -> int:
        number = self.tokenizer.get_vocab().get(checked(token, str, "sentence_mask", InputError))
        if number is None:
            raise InputError(
                f"sentence_mask={shown(token)}: this tokenizer has no such token; name one that it has and that no "
                "text uses, or add one with tokenizer.add_special_tokens and give the model as many rows"
            )
        return number

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Passages:
        """Passages of two sentences and more; raises `InputError` where there is none."""
        passages = Passages(corpus, self.length - 1, least=2)
        if not len(passages):
            raise InputError(
                f"length={self.length}: no text of the corpus has two sentences in so many tokens, so that nothing is "
                "left where one is a gap: read the corpus with its sentences"
            )
        return passages

    def example(self, row: Passage, generator: np.random.Generator) -> Example:
        """``input_ids``, the text with its gaps, and ``labels``, what they are."""
        text, target = self.gapped(row.sentences, generator)
        return self.ended(text.ids, target)

    def gapped(self, sentences: Sequence[Tokens], generator: np.random.Generator) -> Gapped:
        """A text with gaps, and what they are, without what ends both."""
        count = number_of_gaps(len(sentences), float(generator.uniform(*self.ratios)))
        scored = [self._scored[sentence.ids] for sentence in sentences]
        places = gaps(scored, count, generator, strategy=self.strategy, unique=self.unique, noise=self.noise)
        return gapped(sentences, places.tolist(), self._mask, generator, kept=self.kept)

    def ended(self, text: Ids, target: Ids) -> dict[str, Ids]:
        """Both with the end token, the target as far as it may go."""
        ids, labels = np.append(text, self._end), np.append(target, self._end)[: self.target_length]
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "labels": labels}

    def of_tokenizer(self) -> Mapping[str, Any]:
        """The decoder begins with the padding token, too."""
        return {**super().of_tokenizer(), "decoder_start_token_id": role_id(self.tokenizer, "pad_token")}


class GapSentencesAndWords(GapSentences):
    """`GapSentences`, and besides 15 % of the words that the text still has are hidden, for the encoder to guess.

    Its states go through the model's own output layer. The paper tries it (§3.2) and leaves it out in the end; the
    released code makes such inputs, but no loss of them.
    Source: google-research/pegasus, ``GetMLM`` in ``pegasus/ops/pretrain_parsing_ops.cc``.
    """

    terms: ClassVar = {"gaps": 1.0, "words": 1.0}

    def example(self, row: Passage, generator: np.random.Generator) -> Example:
        """With ``word_labels``, the tokens of hidden words in their places."""
        text, target = self.gapped(row.sentences, generator)
        ids, labels = with_hidden_words(text, self._word_masks, self._mask, generator)
        return {**self.ended(ids, target), "word_labels": np.append(labels, IGNORED)}

    @cached_property
    def _word_masks(self) -> Masks:
        others = usual_ids(self.tokenizer)
        return Masks(role_id(self.tokenizer, "mask_token"), others)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """As for gaps alone, and ``word_labels`` ``(B, S)``."""
        words = [{"word_labels": example["word_labels"]} for example in examples]
        others = [{name: example[name] for name in example if name != "word_labels"} for example in examples]
        return {**super().batch(others), **padded(words, {"word_labels": IGNORED})}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The tokens of gaps, their ends included, and those of words."""
        return {"gaps": int((batch["labels"] != IGNORED).sum()), "words": int((batch["word_labels"] != IGNORED).sum())}

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model, of whose encoder words are asked, too."""
        self.check_roles(models)
        return _BothSides(models)


class _BothSides(Trainee):
    """The loss of what the decoder writes, and that of what the encoder guesses."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        inputs = dict(batch)
        labels = inputs.pop("word_labels")
        model = self.model("model")
        output, head = model(**inputs), model.head
        assert isinstance(head, LanguageHead)
        hidden = labels != IGNORED
        logits = head.predictions(output.encoder_last_hidden_state[hidden])
        loss = token_loss(logits, labels[hidden])
        assert loss is not None
        gaps = {} if self.training else {"gaps": share_right(output.logits.argmax(-1), inputs["labels"])}
        words = {} if self.training else {"words": share_right(logits.argmax(-1), labels[hidden])}
        return Outcome({"gaps": output.loss, "words": loss}, {**gaps, **words})
