"""What a generator reads for a question: a context for each passage that was found (Lewis et al. 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from tfx_core.embedding import Passage
from tfx_core.errors import InputError
from tfx_core.model import ModelConfig
from tfx_core.text import Tokenizer

if TYPE_CHECKING:
    from tfx_retrieval.rag.config import RagConfig


@dataclass(frozen=True, kw_only=True)
class ContextForm:
    """How a passage and a question are put together: ``prefix title / text // question``."""

    title_sep: str = " / "
    doc_sep: str = " // "
    prefix: str = ""
    """What stands before every context, for a generator that learned its tasks by such words (T5)."""

    max_combined_length: int | None = 300
    """Most tokens of a context."""

    @classmethod
    def of(cls, config: "RagConfig") -> Self:
        """As a RAG's config says."""
        return cls(
            title_sep=config.title_sep,
            doc_sep=config.doc_sep,
            prefix=prefix_of(config.generator),
            max_combined_length=config.max_combined_length,
        )

    def text(self, question: str, passage: Passage) -> str:
        """The context as text; one pair of quotes around a title and doubled blanks go, as in training."""
        title = passage.topic.removeprefix('"').removesuffix('"')
        return f"{self.prefix}{title}{self.title_sep}{passage.text}{self.doc_sep}{question}".replace("  ", " ")


def prefix_of(config: ModelConfig) -> str:
    """What a generator's config says every input begins with."""
    prefix = config.extra.get("prefix")
    return prefix if isinstance(prefix, str) else ""


class ContextReader:
    """Makes contexts of questions and passages into rows of tokens.

    ``positions`` are the tokens that the generator takes. Of a context that is too long the passage loses words at its
    end, so that the question stays; the reference cuts the question off. `InputError` for a question that alone is too
    long.
    """

    def __init__(self, tokenizer: Tokenizer, form: ContextForm, positions: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.form = form
        limits = [limit for limit in (form.max_combined_length, positions) if limit is not None]
        self.limit = min(limits, default=None)

    def rows(self, question: str, passages: Sequence[Passage]) -> list[list[int]]:
        """The tokens of each context."""
        rows = self._tokens([self.form.text(question, passage) for passage in passages])
        return [
            row if self.limit is None or len(row) <= self.limit else self._cut(question, passage, self.limit)
            for row, passage in zip(rows, passages, strict=True)
        ]

    def _cut(self, question: str, passage: Passage, limit: int) -> list[int]:
        """The longest context with the first words of the passage that fits."""
        words = passage.text.split()
        fits, fails, best = -1, len(words) + 1, list[int]()
        while fails - fits > 1:
            middle = (fits + fails) // 2
            shorter = Passage(" ".join(words[:middle]), passage.topic)
            (row,) = self._tokens([self.form.text(question, shorter)])
            fits, fails, best = (middle, fails, row) if len(row) <= limit else (fits, middle, best)
        if fits < 0:
            raise InputError(
                f"the question and a title have more than the {limit} tokens of a context; ask with fewer words"
            )
        return best

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        rows: list[list[int]] = self.tokenizer(list(texts), return_token_type_ids=False)["input_ids"]
        return rows


def context_batch(
    questions: Sequence[Sequence[Sequence[int]]],
    scores: Sequence[Sequence[float]],
    pad: int,
    device: torch.device | None = None,
) -> dict[str, Tensor]:
    """The contexts of ``B`` questions as the inputs of a RAG, n being the most that one of them has.

    ``doc_scores`` (B, n), ``context_input_ids`` and ``context_attention_mask`` (B·n, S). Where a question has fewer,
    the score is minus infinity, and the mask has no token.
    """
    documents = max(map(len, questions))
    length = max(len(row) for rows in questions for row in rows)
    ids = torch.full((len(questions), documents, length), pad)
    mask = torch.zeros_like(ids)
    weights = torch.full((len(questions), documents), float("-inf"))
    for number, (rows, own) in enumerate(zip(questions, scores, strict=True)):
        weights[number, : len(own)] = torch.tensor(own)
        for place, row in enumerate(rows):
            ids[number, place, : len(row)] = torch.tensor(row)
            mask[number, place, : len(row)] = 1
    batch = {
        "doc_scores": weights,
        "context_input_ids": ids.flatten(0, 1),
        "context_attention_mask": mask.flatten(0, 1),
    }
    return {name: values.to(device) for name, values in batch.items()}
