"""Some tokens of a text in a random order, each from those before it in that order: how XLNet was pretrained."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Size, checked
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.objective import Batch, Example, Objective, Outcome, Trainee, padded, share_right
from tfx_training.objectives.permutations import permutation_of_halves, sampled_spans
from tfx_training.objectives.segment_pairs import cut_sizes
from tfx_training.rows import Rows
from tfx_training.special_tokens import role_id
from tfx_training.streams import Stream, side_by_side
from tfx_training.word_starts import WordStarts, begins_word_of_xlnet


class Place(NamedTuple):
    """Where a row begins in the text that it is read from."""

    stream: Stream
    begin: int


class Segments(NamedTuple):
    """The two segments behind the tokens that are remembered."""

    first: Tokens
    second: Tokens


class Stretches(Rows[Place]):
    """Rows of ``length`` tokens, each of which begins ``step`` after the one before it."""

    def __init__(self, stream: Stream, length: int, step: int, *, begin: int) -> None:
        if len(stream) < length + begin:
            raise InputError(f"length={length}: the corpus has {len(stream)} tokens, not enough for one row")
        self._stream = stream
        self._begins = range(begin, len(stream) - length + 1, step)

    def __len__(self) -> int:
        return len(self._begins)

    def row(self, number: int) -> Place:
        """Where a row begins."""
        return Place(self._stream, self._begins[number])


class Recalling(Trainee):
    """A model that reads on from what it remembers of the batch before."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The mean over all targets; ``carried`` is the memory, of each layer a tensor ``(slots, B, D)``, detached."""
        output = self.model("model")(**batch, mems=carried, use_mems=True)
        right = {} if self.training else {"loss": share_right(output.logits.argmax(-1), batch["labels"])}
        return Outcome({"loss": output.loss}, right, tuple(output.mems))


class PermutedTokens(Objective[TokenCorpus, Place]):
    """Rows of ``length`` tokens of which ``predict`` are predicted, half of them among the first ``reuse``.

    The first ``reuse`` tokens go on with the text of the row before, and are what the model remembers of a row; behind
    them stand two segments, ``A <sep> B <sep> <cls>``, of which B follows A half the time and else is from anywhere.
    An order is drawn for every ``permutation`` tokens; targets are `sampled_spans`, which begin with words as
    `begins_word_of_xlnet` knows them. Documents follow one another, behind each an ``<eod>`` where the vocabulary has
    it. Of an epoch's rows each batch goes on with the texts of the one before it, in so many stretches of the corpus as
    a batch has rows; at its end memory should be dropped (Yang et al. 2019, §2.4 to §2.6 and appendix A.4;
    ``data_utils.py`` and ``README.md`` of zihangdai/xlnet). The released models read half of each batch backwards
    (``bi_data``); here all is read forwards.
    """

    roles: ClassVar = {"model": "causal-lm"}
    follows: ClassVar = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        reuse: int = 256,
        permutation: int = 256,
        predict: int = 85,
        memory: int = 384,
        longest: int = 5,
        alpha: int = 6,
        beta: int = 1,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.reuse = checked(reuse, Size, "reuse", InputError)
        self.permutation = checked(permutation, Size, "permutation", InputError)
        self.predict = checked(predict, Size, "predict", InputError)
        self.memory = checked(memory, Size, "memory", InputError)
        self.longest = checked(longest, Size, "longest", InputError)
        self.alpha = checked(alpha, Size, "alpha", InputError)
        self.beta = checked(beta, Size, "beta", InputError)
        self._check_lengths()
        self._separator = Tokens.of([role_id(tokenizer, "sep_token")])
        self._class = Tokens.of([role_id(tokenizer, "cls_token")])
        self._words = WordStarts(tokenizer, begins_word_of_xlnet)
        end = tokenizer.get_vocab().get("<eod>")
        self._between = () if end is None else (end,)

    def _check_lengths(self) -> None:
        for part, name in ((self.reuse, "reuse"), (self.length - self.reuse, "length - reuse")):
            if part < 1 or part % self.permutation:
                raise InputError(f"{name}={part}: must be a multiple of permutation={self.permutation}")
        if self._room < 2 or self.predict - self.predict // 2 > self.reuse or self.predict // 2 > self._room:
            raise InputError(
                f"predict={self.predict}: half of them must be among the first reuse={self.reuse} tokens, half among "
                f"the {self._room} others that are not special; make length greater or predict smaller"
            )

    @property
    def _room(self) -> int:
        """The tokens of both segments."""
        room: int = self.length - self.reuse - 3
        return room

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Stretches:
        """Where each row begins, from any place of the first row on."""
        stream = Stream(corpus, self._between)
        most = max(1, min(self.reuse, len(stream) - self.length))
        return Stretches(stream, self.length, self.reuse, begin=int(generator.integers(most)))

    def order(self, rows: Sequence[Place], batch_size: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Batches that go on with their texts; nothing is drawn."""
        return side_by_side(len(rows), batch_size)

    def example(self, row: Place, generator: np.random.Generator) -> Example:
        """A row ``(S,)``, what is hidden from what ``(S, S)``, and of the targets where they are and what they are."""
        behind = row.begin + self.reuse
        segments = two_segments(row.stream, behind, self._room, generator)
        remembered = row.stream.between(row.begin, behind)
        tokens = remembered + segments.first + self._separator + segments.second + self._separator + self._class
        usual = np.ones(self.length, dtype=np.bool_)
        usual[[self.reuse + len(segments.first.ids), -2, -1]] = False
        targets = self._targets(usual, self._words(tokens), generator)
        sizes = [self.reuse + len(segments.first.ids) + 1, len(segments.second.ids) + 1, 1]
        return {
            "input_ids": tokens.ids,
            "token_type_ids": np.repeat(np.arange(3), sizes),
            "perm_mask": permutation_of_halves(targets, usual, self.reuse, self.permutation, generator),
            "target_mapping": np.eye(self.length, dtype=np.float32)[targets],
            "labels": tokens.ids[targets],
        }

    def _targets(
        self, usual: NDArray[np.bool_], word_starts: NDArray[np.bool_], generator: np.random.Generator
    ) -> NDArray[np.bool_]:
        parts = ((slice(self.reuse), self.predict - self.predict // 2), (slice(self.reuse, None), self.predict // 2))
        options = {"longest": self.longest, "alpha": self.alpha, "beta": self.beta}
        return np.concatenate([
            sampled_spans(usual[part], word_starts[part], count, generator, **options) for part, count in parts
        ])  # fmt: skip

    def batch(self, examples: Sequence[Example]) -> Batch:
        """The columns of the examples; rows are alike."""
        return padded(examples, {})

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model; raises `InputError` for one that would remember tokens that it reads again, or all there were."""
        self.check_roles(models)
        config = models["model"].config
        for key, wanted in (("reuse_len", self.reuse), ("bi_data", False)):
            if getattr(config, key, wanted) != wanted:
                raise InputError(f"the model has {key}={getattr(config, key)}; this objective needs {key}={wanted}")
        if not getattr(config, "mem_len", 1):
            raise InputError("the model has mem_len=None and would remember all; give it a length, as mem_len=384")
        return Recalling(models)

    def of_tokenizer(self) -> Mapping[str, Any]:
        """What is remembered, too."""
        return {**super().of_tokenizer(), "mem_len": self.memory, "reuse_len": self.reuse}


def two_segments(stream: Stream, begin: int, room: int, generator: np.random.Generator) -> Segments:
    """Two segments of ``room`` tokens together, the first from a place on (``_split_a_and_b``).

    The first ends where a sentence does. Half the time, and where no sentence ends in reach, the second is from
    anywhere, whole sentences around any place, and else it follows. The longer one is cut at its end until both fit.
    """
    ends = stream.sentence_ends
    first = int(np.searchsorted(ends, begin, side="right"))
    last = int(np.searchsorted(ends, begin + room))  # the first that fills both
    end = int(ends[last])
    cut = int(ends[generator.integers(first, last)]) if first < last else end
    if first == last or generator.random() < 0.5:
        size = max(1, room - (cut - begin))
        place = int(generator.integers(len(stream) - size + 1))
        at = int(np.searchsorted(ends, place, side="right"))
        other = int(ends[at - 1]) if at else 0
        end = int(ends[np.searchsorted(ends, place + size)])
    else:
        other = cut
    sizes = cut_sizes(cut - begin, end - other, room)
    return Segments(stream.between(begin, begin + sizes[0]), stream.between(other, other + sizes[1]))
