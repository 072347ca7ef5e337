"""Encoders as modules that learn: vectors of questions and passages through which gradients go."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tfx_core.embedding import Passage, TextEncoder, Vectors
from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.tasks import evaluating, length_limit, token_batches, tokens_of_pass
from tfx_core.text import Tokenizer
from tfx_retrieval.embedding import embedding_text
from tfx_retrieval.rag.model import text_vector


class LearningEncoder(nn.Module, ABC):
    """What joint training asks for vectors; its parameters are those that may learn."""

    @abstractmethod
    def questions(self, texts: Sequence[str]) -> Tensor:
        """One vector a question, (B, D)."""

    def passages(self, passages: Sequence[Passage]) -> Tensor:
        """One vector a passage, (N, D); raises `InputError` where it encodes questions alone."""
        raise InputError(f"{type(self).__name__} encodes questions alone; passages cannot be trained with it")


class TextVectors(LearningEncoder):
    """A `tfx_core.TextEncoder`, or one for questions and one for passages."""

    def __init__(
        self, questions: TextEncoder, passages: TextEncoder | None = None, *, topic_prefix: bool = True
    ) -> None:
        super().__init__()
        self._encoders = (questions, passages or questions)
        self._topic_prefix = topic_prefix
        each = dict.fromkeys(self._encoders)
        self.trained = nn.ModuleList(module for encoder in each for module in (encoder.model, *encoder.stages))

    def questions(self, texts: Sequence[str]) -> Tensor:
        """One vector a question, (B, D)."""
        encoder = self._encoders[0]
        return _embedded(encoder, texts, encoder.query_prompt)

    def passages(self, passages: Sequence[Passage]) -> Tensor:
        """One vector a passage, (N, D), of the text that an index embeds."""
        encoder = self._encoders[1]
        texts = [embedding_text(passage, topic_prefix=self._topic_prefix) for passage in passages]
        return _embedded(encoder, texts, encoder.document_prompt)


class QuestionEncoder(LearningEncoder):
    """The question encoder inside a RAG with its tokenizer: texts in, vectors out."""

    def __init__(self, encoder: Model, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.encoder = encoder
        self._tokenizer = tokenizer
        self._limit = length_limit(encoder, tokenizer)

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        return int(self.encode_query(["a"]).shape[1])

    def questions(self, texts: Sequence[str]) -> Tensor:
        """Vectors (B, D) through which gradients go."""
        cut = self._limit is not None
        batch = self._tokenizer(list(texts), padding=True, truncation=cut, max_length=self._limit, return_tensors="pt")
        known = {name: ids.to(self.encoder.device) for name, ids in batch.items() if name in self.encoder.input_names}
        return text_vector(self.encoder(**known, return_dict=True))

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Vectors (B, D) float32, a forward pass of similar lengths at a time."""
        lengths = [len(row) for row in self._tokenizer(list(texts))["input_ids"]]
        vectors: list[Tensor] = [torch.empty(0)] * len(texts)
        with torch.inference_mode(), evaluating(self.encoder):
            for rows in token_batches(lengths, tokens_of_pass(self.encoder), None):
                for row, vector in zip(rows, self.questions([texts[row] for row in rows]), strict=True):
                    vectors[row] = vector
        found: Vectors = torch.stack(vectors).float().cpu().numpy()
        return found


def _embedded(encoder: TextEncoder, texts: Sequence[str], prompt: str | None) -> Tensor:
    batch = {name: tensor.to(encoder.device) for name, tensor in encoder.tokenize(texts, prompt_name=prompt).items()}
    return encoder.embed(batch, prompt_name=prompt)
