"""RAG-token's decoding: a state of ``n`` documents for each question that gives the logits of all together."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tfx_core.generation import DecodingState, ExtendingState, check_used
from tfx_core.model import Model
from tfx_core.nn import rows_of_sources
from tfx_retrieval.rag.documents import Documents
from tfx_retrieval.rag.marginal import document_log_probs, marginalised


class ByAllDocuments:
    """A generator's state whose sources are ``n`` documents of each question, as one of which these are the sources.

    With ``K`` rows for each of ``B`` questions the generator has ``K`` for each of ``B·n`` documents, the same texts.
    """

    def __init__(self, state: Any, scores: Tensor) -> None:
        self._state = state
        self._log_probs = document_log_probs(scores)  # (B, n)
        self._rows = 1

    def prefill(self) -> Tensor:
        """Read the documents; the log-probabilities ``(B, V)`` of the first token."""
        return self._together(self._state.prefill()[:, None])[:, 0]

    def step(self, ids: Tensor) -> Tensor:
        """Append one token ``(R,)`` to every row, for each document; the log-probabilities ``(R, V)`` of the next."""
        return self._together(self._state.step(self._for_each(ids))[:, None])[:, 0]

    def expand(self, copies: int) -> None:
        """Make ``copies`` adjacent rows of every row."""
        self._state.expand(copies)
        self._rows *= copies

    def reorder(self, rows: Tensor) -> None:
        """Row ``i`` continues what row ``rows[i]`` was, by each of its documents."""
        within = rows.view(len(self._log_probs), -1) % self._rows  # (B, K')
        sources = torch.arange(self._log_probs.numel(), device=rows.device).view_as(self._log_probs)  # (B, n)
        self._state.reorder((sources[..., None] * self._rows + within[:, None]).flatten())
        self._rows = within.shape[1]

    def select(self, sources: Tensor) -> None:
        """Keep only these questions, with all their documents."""
        self._state.select(rows_of_sources(sources, self._log_probs.shape[1]))
        self._log_probs = self._log_probs[sources]

    def _for_each(self, values: Tensor) -> Tensor:
        """Of the rows of each question ``(B·K, …)`` those of each of its documents ``(B·n·K, …)``."""
        of_questions = values.view(len(self._log_probs), 1, -1, *values.shape[1:])  # (B, 1, K, …)
        return of_questions.expand(-1, self._log_probs.shape[1], *of_questions.shape[2:]).flatten(0, 2)

    def _together(self, logits: Tensor) -> Tensor:
        """Logits ``(B·n·K, T, V)`` -> log-probabilities ``(B·K, T, V)``."""
        questions, documents = self._log_probs.shape
        by_row = logits.view(questions, documents, -1, *logits.shape[1:]).transpose(1, 2).flatten(0, 2)  # (B·K·n, T, V)
        return marginalised(by_row, self._log_probs.repeat_interleave(self._rows, dim=0))


class ExtendingByAllDocuments(ByAllDocuments):
    """The same of a generator that takes several tokens at once."""

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Append the first ``lengths[i]`` of ``(R, n)`` tokens to row ``i``; what follows each ``(R, n, V)``."""
        return self._together(self._state.extend(self._for_each(ids), self._for_each(lengths)))

    def keep(self, counts: Tensor) -> None:
        """Of the tokens of each `extend` since the last time, keep the first ``counts[i]`` of row ``i``."""
        self._state.keep(self._for_each(counts))


def rag_decoding(model: Model, inputs: Mapping[str, Any]) -> DecodingState:
    """The state of a model with head ``rag-token``; raises `InputError` for inputs that it ignores."""
    of_documents = ("doc_scores", "context_input_ids", "context_attention_mask", "encoder_outputs")
    of_decoder = ("decoder_input_ids", "decoder_attention_mask")
    check_used(inputs, {*of_documents, *of_decoder, "attention"})
    documents = Documents.of(*(inputs.get(name) for name in of_documents))
    generator: Any = model.backbone.get_submodule("generator")
    given = {name: documents.each(inputs[name]) for name in of_decoder if name in inputs}
    given |= {"attention": inputs["attention"]} if "attention" in inputs else {}
    state = generator.architecture.decoding(generator, {**documents.sources, **given})
    kind = ExtendingByAllDocuments if isinstance(state, ExtendingState) else ByAllDocuments
    return kind(state, documents.scores)
