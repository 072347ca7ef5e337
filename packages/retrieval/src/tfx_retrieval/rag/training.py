"""Joint training: questions and answers teach a generator, a question encoder and, if wanted, that of passages.

Lewis et al. 2020 train question encoder and generator over an index that stays; with ``refresh_every`` the index
follows its encoder, as in REALM (Guu et al. 2020, §3.3).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from tfx_core.embedding import Passage, PassageIndex, RowNumbers, Vectors
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.model.heads import IGNORED
from tfx_core.text import Tokenizer
from tfx_retrieval.rag.contexts import ContextForm, ContextReader, context_batch, prefix_of
from tfx_retrieval.rag.documents import Documents
from tfx_retrieval.rag.marginal import rag_sequence_loss, rag_token_loss
from tfx_retrieval.rag.refreshing import RefreshedIndex
from tfx_retrieval.rag.vectors import LearningEncoder
from tfx_retrieval.rag.watch import RetrievalWatch

Mode: TypeAlias = Literal["rag-sequence", "rag-token"]
_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "rag-sequence": rag_sequence_loss,
    "rag-token": rag_token_loss,
}


class JointTraining(nn.Module):
    """A generator and the encoders that find what it reads, as one module with one loss.

    Call it with questions and answers, in a loop with any optimiser or in a trainer (`collate` puts examples into such
    a batch). Passages are found with the question encoder as it is, through the index as it is. Where the encoder of
    passages learns, ``trains_passages``, what was found is encoded again, with gradients. Before every
    ``refresh_every``-th batch of training the whole index is made anew; searches by others go on meanwhile.

    A RAG learns in place by its parts: its generator, and a `tfx_retrieval.rag.vectors.QuestionEncoder` around its
    question encoder, over an index that `tfx_retrieval.rag.assembly.searched_by` opens.

    ``score_scale`` multiplies every inner product: 1 for encoders like DPR's, more for those whose vectors have length
    one, since among cosines a softmax hardly differs. ``watch`` says how retrieval fares.
    """

    def __init__(
        self,
        generator: Model,
        tokenizer: Tokenizer,
        encoder: LearningEncoder,
        index: PassageIndex,
        *,
        mode: Mode = "rag-token",
        n_docs: int = 5,
        form: ContextForm | None = None,
        label_smoothing: float = 0.0,
        score_scale: float = 1.0,
        trains_passages: bool = False,
        refresh_every: int | None = None,
        watch: RetrievalWatch | None = None,
    ) -> None:
        super().__init__()
        if mode not in _LOSSES:
            raise InputError(f"mode={mode!r}: must be one of {', '.join(_LOSSES)}")
        if refresh_every is not None and refresh_every < 1:
            raise InputError(f"refresh_every={refresh_every}: must be a number of batches, or None for never")
        if refresh_every is not None and not isinstance(index, RefreshedIndex):
            raise InputError("refresh_every: needs a RefreshedIndex, whose encoder makes the vectors of passages")
        check_n_docs(n_docs, len(index))
        self.generator = generator
        self.encoder = encoder
        self.index = index
        self.mode = mode
        self.n_docs = n_docs
        self.label_smoothing = label_smoothing
        self.score_scale = score_scale
        self.trains_passages = trains_passages
        self.refresh_every = refresh_every
        self.watch = watch or RetrievalWatch()
        form = ContextForm(prefix=prefix_of(generator.config)) if form is None else form
        self._contexts = ContextReader(tokenizer, form, generator.max_positions)
        self._tokenizer = tokenizer
        self._batches = 0

    def forward(self, question: Sequence[str], answer: Sequence[str]) -> dict[str, Any]:
        """The loss, minus log p(answer | question) in the mean of the batch, and ``doc_scores`` (B, n)."""
        if self.training:
            self._refresh_on_schedule()
        asked = self.encoder.questions(question)  # (B, D)
        _, rows = self.index.search_vectors(_array(asked), self.n_docs)  # (B, n)
        passages = [self.index.passages(own[own >= 0]) for own in rows]
        scores = self._scores(asked, rows, passages)  # (B, n)
        self._watch(question, rows, scores)
        documents = self._documents(question, passages, scores)
        targets = self._targets(answer).to(scores.device)  # (B, T)
        logits = self.generator(**documents.sources, labels=documents.each(targets), return_dict=True).logits
        losses = _LOSSES[self.mode](logits, documents.scores, targets, self.label_smoothing)  # (B,)
        return {"loss": losses.mean(), "doc_scores": documents.scores}

    @staticmethod
    def collate(examples: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
        """A batch of examples that each have a ``question`` and an ``answer``."""
        return {name: [example[name] for example in examples] for name in ("question", "answer")}

    def _refresh_on_schedule(self) -> None:
        due = self.refresh_every and self._batches and self._batches % self.refresh_every == 0
        if due and isinstance(self.index, RefreshedIndex):
            self.index.refresh()
        self._batches += 1

    def _scores(self, asked: Tensor, rows: RowNumbers, passages: Sequence[Sequence[Passage]]) -> Tensor:
        """Inner products (B, n) with the passages' vectors in the index, or with new ones; -inf where there is none."""
        real = torch.from_numpy(rows >= 0).to(asked.device)
        vectors = asked.new_zeros(*rows.shape, asked.shape[1])  # (B, n, D)
        vectors[real] = self._passage_vectors(rows, passages).to(vectors)
        scores = self.score_scale * torch.einsum("bd,bnd->bn", asked, vectors)
        return scores.masked_fill(~real, float("-inf"))

    def _passage_vectors(self, rows: RowNumbers, passages: Sequence[Sequence[Passage]]) -> Tensor:
        """Those of all passages that there are, (N, D), each encoded once."""
        wanted, places = np.unique(rows[rows >= 0], return_inverse=True)
        if not self.trains_passages:
            return torch.from_numpy(self.index.vectors(wanted))[places]
        return self.encoder.passages(self.index.passages(wanted))[places]

    def _documents(self, questions: Sequence[str], passages: Sequence[Sequence[Passage]], scores: Tensor) -> Documents:
        contexts = [self._contexts.rows(*each) for each in zip(questions, passages, strict=True)]
        known = [own[: len(rows)].tolist() for own, rows in zip(scores.detach(), contexts, strict=True)]
        batch = context_batch(contexts, known, self._tokenizer.pad_token_id or 0, scores.device)
        count = batch["doc_scores"].shape[1]
        ids, mask = batch["context_input_ids"], batch["context_attention_mask"]
        return Documents.of(scores[:, :count], ids, mask, None, count)

    def _targets(self, answers: Sequence[str]) -> Tensor:
        """Tokens (B, T) that the generator is to write, `IGNORED` behind their end."""
        rows = self._tokenizer(text_target=list(answers))["input_ids"]
        targets = torch.full((len(rows), max(map(len, rows))), IGNORED)
        for target, row in zip(targets, rows, strict=True):
            target[: len(row)] = torch.tensor(row)
        return targets

    def _watch(self, questions: Sequence[str], rows: RowNumbers, scores: Tensor) -> None:
        if self.training:
            for question, own, weights in zip(questions, rows, scores.tolist(), strict=True):
                found = [int(row) for row in own if row >= 0]
                self.watch.observe(question, found, weights[: len(found)])


def check_n_docs(n_docs: int, count: int) -> None:
    """Raise `InputError` unless an index of so many passages has that many for a question."""
    if not 1 <= n_docs <= count:
        raise InputError(f"n_docs={n_docs}: the index holds {count} passages; ask for 1 to {count} of them")


def _array(vectors: Tensor) -> Vectors:
    found: Vectors = vectors.detach().float().cpu().numpy()
    return found
