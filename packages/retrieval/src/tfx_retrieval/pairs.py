"""Encoders of DPR, one for questions and one for passages, as an index takes them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfx_core.embedding import Passage, Vectors, load_encoder
from tfx_core.errors import InputError
from tfx_core.tasks import Task, TaskOptions, TextWindow, check_length, check_text, length_limit
from tfx_retrieval.encoder import BudgetedEncoder, MeasuringEncoder
from tfx_retrieval.probes import Encoder

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model import Model
    from tfx_core.text import Tokenizer

MAX_LENGTH = 256
"""Tokens of a question or a passage that the released models were trained with."""

_Text = tuple[str, str]
"""Title and text; a question has no title."""


class _Encode(Task[TaskOptions, _Text, Vectors]):
    """The vector of each text, as a model with a head that makes one has it."""

    name = "encode"
    heads = ("question-encoder", "context-encoder")
    options_type = TaskOptions

    def __init__(self, model: "Model", tokenizer: "Tokenizer", max_length: int | None = None) -> None:
        super().__init__(model, tokenizer)
        limit = length_limit(model, tokenizer, max_length)
        self.limit = MAX_LENGTH if limit is None or (max_length is None and limit > MAX_LENGTH) else limit

    def parse(self, value: Any, options: TaskOptions) -> _Text:
        return check_text(value[0], "a title"), check_text(value[1])

    def encode(self, items: Sequence[_Text], options: TaskOptions) -> list[list[TextWindow]]:
        """``[CLS] title [SEP] text [SEP]``, or without a title; of one type, as the models were trained."""
        windows: list[list[TextWindow]] = [[] for _ in items]
        for titled in (True, False):
            chosen = [index for index, (title, _) in enumerate(items) if bool(title) == titled]
            columns = [[items[index][part] for index in chosen] for part in ((0, 1) if titled else (1,))]
            batch = self.tokenizer(*columns, truncation="longest_first", max_length=self.limit) if chosen else {}
            for row, index in enumerate(chosen):
                features = {name: batch[name][row] for name in ("input_ids", "attention_mask")}
                windows[index] = [TextWindow(features)]
                check_length(self.model, index, windows[index][0])
        return windows

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: TaskOptions
    ) -> Sequence[Vectors]:
        vectors: Vectors = self.model(**batch, return_dict=True).pooler_output.float().cpu().numpy()
        return list(vectors)

    def decode(
        self, item: _Text, windows: Sequence[TextWindow], rows: Sequence[Vectors], options: TaskOptions
    ) -> Vectors:
        return rows[0]


class DprEncoder:
    """One of DPR's two encoders: vectors of passages, with their titles, or of questions; their product compares them.

    A text is cut to ``max_length`` tokens, of title and text together the longer one; by default to 256. See
    `tfx_retrieval.probes.Encoder`. Raises `InputError` for a model with another head.
    """

    def __init__(
        self,
        model: "Model",
        tokenizer: "Tokenizer",
        *,
        max_length: int | None = None,
        batch_tokens: int | None = None,
    ) -> None:
        self._task = _Encode(model, tokenizer, max_length)
        self._batch_tokens = batch_tokens

    @property
    def limit(self) -> int:
        """Tokens of the longest text that is embedded whole."""
        return self._task.limit

    @property
    def model(self) -> "Model":
        """The model, of which every call sees what was learnt since the last."""
        return self._task.model

    @property
    def tokenizer(self) -> "Tokenizer":
        """The tokenizer."""
        return self._task.tokenizer

    @property
    def name(self) -> str | None:
        """The folder or hub id that the model was loaded from."""
        return self.model.origin

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return getattr(self.model.config, "projection_dim", 0) or self.model.backbone.width

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of questions, (len(texts), D)."""
        return self._vectors([("", text) for text in texts])

    def encode_document(self, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Vectors:
        """Return the vectors of texts without titles, (len(texts), D)."""
        return self._vectors([("", text) for text in texts], progress)

    def encode_passages(
        self, passages: Sequence[Passage], *, progress: Callable[[int], object] | None = None
    ) -> Vectors:
        """Return the vectors of passages, (len(passages), D): the topic is the title."""
        return self._vectors([(passage.topic, passage.text) for passage in passages], progress)

    def cuts(self, text: str) -> bool:
        """Say whether only the beginning of a text is embedded."""
        return len(self.tokenizer(text)["input_ids"]) > self.limit

    def _vectors(self, texts: Sequence[_Text], progress: Callable[[int], object] | None = None) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack(list(self._task(texts, progress=progress, batch_tokens=self._batch_tokens)))


class EncoderPair:
    """One encoder for questions and one for passages, which were trained together.

    Raises `InputError` where their vectors are not of one length.
    """

    def __init__(self, question: Encoder, context: Encoder) -> None:
        if question.dimension != context.dimension:
            raise InputError(
                f"the vectors of questions have {question.dimension} numbers, those of passages {context.dimension}; "
                "give two encoders that were trained together"
            )
        self.question, self.context = question, context
        own = getattr(context, "encode_passages", None)
        if own is not None:
            self.encode_passages = own

    @property
    def name(self) -> str | None:
        """Where the encoder of passages comes from."""
        name: str | None = getattr(self.context, "name", None)
        return name

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.context.dimension

    @property
    def limit(self) -> int | None:
        """Tokens of the longest passage that is embedded whole; None where there is no limit, or it is not known."""
        limit: int | None = getattr(self.context, "limit", None)
        return limit

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of questions, (len(texts), D)."""
        return self.question.encode_query(texts)

    def encode_document(self, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Vectors:
        """Return the vectors of passages without topics, (len(texts), D)."""
        return self.context.encode_document(texts, progress=progress)

    def cuts(self, text: str) -> bool:
        """Say whether only the beginning of a passage is embedded."""
        cuts: Callable[[str], bool] = getattr(self.context, "cuts", lambda text: False)
        return cuts(text)


def load_pair(
    context: str | Path, question: str | Path | None = None, *, batch_tokens: int | None = None, **loading: Any
) -> MeasuringEncoder:
    """The encoder of passages, and that of questions where it is another one, of folders or hub ids.

    Each may be DPR's or any text encoder; ``loading`` are keywords of `tfx_core.load_model`. Raises `InputError` where
    DPR's encoder of passages has no encoder of questions beside it.
    """
    passages = _loaded(context, "context-encoder", batch_tokens, loading)
    if question is not None:
        return EncoderPair(_loaded(question, "question-encoder", batch_tokens, loading), passages)
    if isinstance(passages, DprEncoder):
        raise InputError(
            f"{context}: an encoder of passages alone, with which no question can be asked; give the encoder of "
            "questions that was trained with it beside it (--question-model)"
        )
    return passages


def _loaded(name: str | Path, head: str, batch_tokens: int | None, loading: Mapping[str, Any]) -> MeasuringEncoder:
    from tfx_core import load_model, load_tokenizer
    from tfx_core.checkpoint import Folder, read_whole, taken_hub_options
    from tfx_core.model import read_config, stored_head

    given = dict(loading)
    provider = given.get("provider")
    hub = taken_hub_options(given)

    def read(folder: Folder) -> DprEncoder | None:
        described = folder.json("config.json") or {}
        if described.get("model_type") is None or folder.path("modules.json") is not None:
            return None  # a sentence-transformers folder
        stored = stored_head(*read_config(folder, provider), folder)
        if stored not in _Encode.heads:
            return None
        if stored != head:
            raise InputError(f"{folder.label}: holds a {stored}, not a {head}; give the other one of the pair")
        model, tokenizer = load_model(folder, **given), load_tokenizer(folder, provider=provider)
        return DprEncoder(model, tokenizer, batch_tokens=batch_tokens)

    return read_whole(name, read, **hub) or BudgetedEncoder(load_encoder(name, **loading), batch_tokens)
