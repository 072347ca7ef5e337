"""The task. What it declares here is checked in a call, and is what ``tfx-core run keyphrases --help`` shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.fields import Between, Help, Rate, Size
from tfx_core.tasks import LengthOptions, Result, Task, TextWindow, check_text, in_groups, tokenize
from tfx_keyphrases.candidates import STOP_WORDS, candidates

if TYPE_CHECKING:
    from torch import Tensor

Vector: TypeAlias = NDArray[np.float32]
"""``(D,)``, of length 1."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text and the phrases among which to choose."""

    text: str
    phrases: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class KeyphraseOptions(LengthOptions):
    """Options of `Keyphrases`."""

    top_k: Annotated[Size, Help("keyphrases of a text")] = 5
    max_words: Annotated[int, Between(1, 8), Help("words of a phrase")] = 3
    diversity: Annotated[Rate, Help("0 takes the phrases nearest to the text, 1 those least like each other")] = 0.3
    candidates: Annotated[Size, Help("phrases to choose from, the commonest of a text")] = 200
    stop_words: Annotated[tuple[str, ...], Help("words with which no phrase begins or ends")] = STOP_WORDS
    pooling: Annotated[
        Literal["cls", "mean", "max", "mean_sqrt_len", "weightedmean", "lasttoken"],
        Help("how the states of tokens become one vector"),
    ] = "mean"


class Keyphrases(Task[KeyphraseOptions, Text, Vector]):
    """Texts in, lists of ``{"keyphrase": …, "score": …}`` out, the best first.

    The score is the cosine of the phrase with its text. A text without a phrase gives an empty list.
    """

    name = "keyphrases"
    heads = ("backbone", "encoder-only")
    reads = "token-states"
    options_type = KeyphraseOptions

    def parse(self, value: object, options: KeyphraseOptions) -> Text:
        """A string."""
        text = check_text(value)
        phrases = candidates(text, most_words=options.max_words, stop_words=options.stop_words, most=options.candidates)
        return Text(text, phrases)

    def encode(self, items: Sequence[Text], options: KeyphraseOptions) -> list[list[TextWindow]]:
        """A row of the text and a row of each phrase; none where there is nothing to choose from."""
        rows = [[item.text, *item.phrases] if item.phrases else [] for item in items]
        return in_groups(
            [len(own) for own in rows],
            lambda: tokenize(
                self.model,
                self.tokenizer,
                [row for own in rows for row in own],
                truncation=options.truncation,
                max_length=options.max_length,
            ),
        )

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: KeyphraseOptions
    ) -> list[Vector]:
        """Vectors of the rows, ``(D,)`` each."""
        import torch.nn.functional as F  # not at the top: options are shown without it

        from tfx_core.embedding import pool, real_states

        output = self.model(**batch, return_dict=True)
        real = real_states(output, batch["attention_mask"])
        vectors = pool(output.last_hidden_state, real, options.pooling)  # (B, D)
        return list(F.normalize(vectors, dim=-1).cpu().numpy())

    def decode(
        self, item: Text, windows: Sequence[TextWindow], rows: Sequence[Vector], options: KeyphraseOptions
    ) -> Result:
        """The phrases, chosen one after another."""
        if not rows:
            return []
        text, phrases = rows[0], np.stack(rows[1:])  # (D,), (N, D)
        likeness = phrases @ text  # (N,)
        chosen = most_relevant(likeness, phrases @ phrases.T, options.top_k, options.diversity)
        return [{"keyphrase": item.phrases[number], "score": float(likeness[number])} for number in chosen]


def most_relevant(likeness: Vector, alike: Vector, count: int, diversity: float) -> list[int]:
    """Up to ``count`` of N by maximal marginal relevance (Carbonell and Goldstein 1998).

    ``likeness`` ``(N,)`` is of each to what is asked for, ``alike`` ``(N, N)`` of each to each other.
    """
    chosen = [int(likeness.argmax())]
    while len(chosen) < min(count, len(likeness)):
        worth = (1 - diversity) * likeness - diversity * alike[:, chosen].max(axis=1)
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen
