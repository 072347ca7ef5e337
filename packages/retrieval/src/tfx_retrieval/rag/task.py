"""Retrieval-augmented generation: a question in, a text out that was written by all the passages found for it."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from tfx_core.errors import InputError
from tfx_core.fields import Above, Between, Help
from tfx_core.tasks import GeneratingOptions, GeneratingTask, ItemError, NewTokens, Result, TextWindow, check_text

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.checkpoint import Folder
    from tfx_core.model import Model
    from tfx_core.text import Tokenizer
    from tfx_retrieval.hits import Hit, PassageSearch
    from tfx_retrieval.rag.config import RagConfig
    from tfx_retrieval.rag.contexts import ContextReader
    from tfx_retrieval.rag.model import RagBackbone
    from tfx_retrieval.rag.tokenizers import RagTokenizer

_AT_MAKING = ("index", "question_encoder", "mode")


@dataclass(frozen=True, kw_only=True)
class RagOptions(GeneratingOptions):
    """Options of `RetrievalAugmentedGeneration`; the first three are those of `tfx_core.pipeline`, not of a call."""

    index: Annotated[str | None, Help("folder of the index that is searched")] = None
    question_encoder: Annotated[
        str | None, Help("folder or hub id of the encoder of questions (default: the RAG's own, else the index's)")
    ] = None
    mode: Annotated[
        Literal["rag-sequence", "rag-token"] | None,
        Help("a whole text from one passage at a time, or each token from any (default: the checkpoint's, else token)"),
    ] = None

    n_docs: Annotated[
        int | None, Between(1), Help("passages for each question (default: the checkpoint's, else 5)")
    ] = None
    score_scale: Annotated[
        float, Above(0), Help("what multiplies the scores of passages before the softmax over them")
    ] = 1.0
    decoding: Annotated[
        Literal["thorough", "fast"],
        Help("of rag-sequence: score every candidate by every passage, or only by those that it was written from"),
    ] = "thorough"
    prefix: Annotated[str | None, Help("text before every context (default: what the generator's config says)")] = None
    max_combined_length: Annotated[
        int | None, Between(1), Help("most tokens of passage and question (default: the checkpoint's, else 300)")
    ] = None
    return_passages: Annotated[bool, Help("give the passages beside the text")] = True


@dataclass(frozen=True, slots=True)
class Found(TextWindow):
    """What is read for a question: a context for each hit."""

    hits: "Sequence[Hit]" = ()
    contexts: Sequence[Sequence[int]] = ()


class RetrievalAugmentedGeneration(GeneratingTask[RagOptions, str]):
    """Questions in, dicts with ``generated_text`` and ``passages`` out (Lewis et al. 2020).

    A passage has its ``score``, an inner product with the question's vector, and its ``weight``, the share that it has
    in the text. ``model`` is a RAG, or any encoder-decoder, which then reads the contexts as a RAG's generator would;
    ``index`` is the folder of an index, or anything with a ``search`` of its kind (`tfx_retrieval.hits.PassageSearch`).
    """

    name = "retrieval-augmented-generation"
    heads = ("rag-token", "rag-sequence", "conditional-generation")
    options_type = RagOptions
    fallback: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 64, "num_beams": 4}
    search: "PassageSearch"

    def __init__(
        self,
        model: "Model",
        tokenizer: "Tokenizer",
        *,
        search: "PassageSearch | None" = None,
        mode: str | None = None,
        **options: object,
    ) -> None:
        from tfx_retrieval.rag.assembly import as_rag

        super().__init__(as_rag(model, mode), tokenizer, **options)
        if search is not None:
            self.search = search

    @classmethod
    def load(
        cls,
        model: "str | Path | Model",
        *,
        tokenizer: "str | Path | Tokenizer | RagTokenizer | None" = None,
        **given: Any,
    ) -> Self:
        """The task with the model of a folder or hub id, and with an ``index`` that fits its question encoder.

        ``index`` is a folder or a `tfx_retrieval.hits.PassageSearch`; ``question_encoder`` and ``mode`` are as in
        `RagOptions`. A RAG that was loaded before needs its `tfx_retrieval.rag.tokenizers.RagTokenizer`. Raises
        `PassageIndexError` for an index that another encoder made, and else what `tfx_core.load_model` and
        `tfx_retrieval.open_index` raise.
        """
        from tfx_retrieval.rag.assembly import open_search
        from tfx_retrieval.rag.tokenizers import RagTokenizer

        index, question_encoder = given.pop("index", None), given.pop("question_encoder", None)
        if index is None or index == "":
            raise InputError(f"{cls.name}: index: give the folder of an index that tfx-core index build made (--index)")
        sides = tokenizer if isinstance(tokenizer, RagTokenizer) else None
        generators = tokenizer.generator if isinstance(tokenizer, RagTokenizer) else tokenizer
        task = super().load(model, tokenizer=generators, **given)
        task.search = open_search(task.model, model, index, question_encoder, sides)
        return task

    @classmethod
    def tokenizer_of(cls, folder: "Folder", provider: str | None = None) -> "Tokenizer":
        """That of the generator, which in a RAG's folder has a folder of its own."""
        from tfx_retrieval.rag.tokenizers import OF_GENERATOR, has_side, side_tokenizer

        has_two = has_side(folder, OF_GENERATOR)
        return side_tokenizer(folder, OF_GENERATOR, provider) if has_two else super().tokenizer_of(folder, provider)

    @property
    def config(self) -> "RagConfig":
        """The RAG's."""
        return cast("RagConfig", self.model.config)

    def settings_name(self, options: RagOptions) -> str:
        """That of the task."""
        return self.name

    def check_options(self, options: RagOptions) -> None:
        """Refuse what belongs to the making of a pipeline, and more passages than the index has."""
        super().check_options(options)
        for name in _AT_MAKING:
            if getattr(options, name) is not None:
                raise InputError(f"{self.name}: {name} is chosen when a pipeline is made; make another one for another")
        if isinstance(self.search, Sized):
            from tfx_retrieval.rag.training import check_n_docs

            check_n_docs(self.n_docs(options), len(self.search))

    def n_docs(self, options: RagOptions) -> int:
        """Passages for each question."""
        return options.n_docs or self.config.n_docs

    def parse(self, value: object, options: RagOptions) -> str:
        """A question, with words in it."""
        question = check_text(value, "a question")
        if not question.strip():
            raise InputError("an empty question; ask with some words")
        return question

    def encode(self, items: Sequence[str], options: RagOptions) -> list[list[TextWindow]]:
        """What is found for each question."""
        if not items:
            return []
        reader = self._reader(options)
        found = self.search.search(items, self.n_docs(options))
        return [[self._read(reader, *each)] for each in zip(range(len(items)), items, found, strict=True)]

    def collate(self, windows: Sequence[TextWindow]) -> "Mapping[str, Tensor]":
        """The contexts of all questions, see `tfx_retrieval.rag.contexts.context_batch`."""
        from tfx_retrieval.rag.contexts import context_batch

        found = [window for window in windows if isinstance(window, Found)]
        contexts, scores = [each.contexts for each in found], [[hit.score for hit in each.hits] for each in found]
        return context_batch(contexts, scores, self.tokenizer.pad_token_id or 0, self.model.device)

    def generated(self, batch: "Mapping[str, Tensor]", options: RagOptions, streamer: Any = None) -> list[NewTokens]:
        """Generate by all passages, weighted by their scores."""
        scaled = {**batch, "doc_scores": batch["doc_scores"] * options.score_scale}
        return super().generated(scaled, options, streamer)

    def further_arguments(self, options: RagOptions) -> Mapping[str, Any]:
        """How whole texts are scored."""
        return {"fast_decoding": True} if options.decoding == "fast" else {}

    def rows_of(self, value: object, options: RagOptions) -> int:
        """One for each passage."""
        return self.n_docs(options)

    def row_tokens(self, windows: Sequence[TextWindow], options: RagOptions) -> list[int]:
        """As many rows as there are passages."""
        tokens = super().row_tokens(windows, options)
        return [size * self.n_docs(options) for size in tokens]

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[NewTokens], options: RagOptions
    ) -> Result:
        """The texts, each with the passages."""
        texts = self.tokenizer.batch_decode(rows[0], skip_special_tokens=True)
        (window,) = windows
        passages = _passages(window.hits, options.score_scale) if isinstance(window, Found) else []
        shown = [passages] * len(texts) if options.return_passages else []
        return self.results([text.strip() for text in texts], "generated_text", passages=shown)

    def _reader(self, options: RagOptions) -> "ContextReader":
        from tfx_retrieval.rag.contexts import ContextForm, ContextReader

        own = ContextForm.of(self.config)
        form = replace(
            own,
            prefix=own.prefix if options.prefix is None else options.prefix,
            max_combined_length=options.max_combined_length or own.max_combined_length,
        )
        return ContextReader(self.tokenizer, form, cast("RagBackbone", self.model.backbone).generator.max_positions)

    def _read(self, reader: "ContextReader", index: int, question: str, hits: "Sequence[Hit]") -> Found:
        if not hits:
            raise ItemError(index, "the search finds no passage for this question")
        try:
            contexts = reader.rows(question, [hit.passage for hit in hits])
        except InputError as error:
            raise ItemError(index, str(error)) from None
        longest = max(contexts, key=len)
        return Found({"input_ids": longest}, hits=hits, contexts=contexts)


def _passages(hits: "Sequence[Hit]", scale: float) -> list[dict[str, Any]]:
    import numpy as np

    scores = np.asarray([hit.score for hit in hits]) * scale
    weights = np.exp(scores - scores.max())
    return [
        {
            "score": hit.score,
            "weight": float(weight),
            "id": hit.passage.id,
            "topic": hit.passage.topic,
            "text": hit.passage.text,
        }
        for hit, weight in zip(hits, weights / weights.sum(), strict=True)
    ]
