"""A RAG of what there is: any encoder-decoder as its generator, any index, any encoder of questions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tfx_core.embedding import Vectors, load_encoder
from tfx_core.errors import InputError, PassageIndexError
from tfx_core.model import Model
from tfx_retrieval.embedding import Progress, model_identity
from tfx_retrieval.folder import maker_of, place_of, read_folder
from tfx_retrieval.hits import PassageSearch
from tfx_retrieval.probes import DOCUMENTS, QUERIES, distance
from tfx_retrieval.rag import ARCHITECTURE
from tfx_retrieval.rag.config import RagConfig
from tfx_retrieval.rag.model import GENERATOR_HEAD, RagBackbone
from tfx_retrieval.rag.tokenizers import RagTokenizer
from tfx_retrieval.rag.vectors import QuestionEncoder
from tfx_retrieval.search import SearchIndex, open_index

_SAME_SPACE = 0.7
"""Largest relative distance at which vectors of questions are those of one encoder, which was trained further or not.

Of two encoders that have nothing to do with each other they are about 1.4 apart, where both give length one, and of one
that normalises and one that does not more.
"""


def as_rag(model: Model, mode: str | None = None) -> Model:
    """A RAG in one of its modes, or with any encoder-decoder as its generator; weights are shared, not copied."""
    if mode not in (None, *ARCHITECTURE.heads):
        raise InputError(f"mode={mode!r}: must be one of {', '.join(ARCHITECTURE.heads)}")
    if isinstance(model.backbone, RagBackbone) and isinstance(model.config, RagConfig):
        same = mode in (None, model.head_name)
        return model if same else _around(model.config, model.backbone, model, mode or model.head_name)
    if model.head_name != GENERATOR_HEAD:
        return model  # which whoever asked for a RAG refuses
    # there is no question encoder in it: nothing asks for one where the scores of documents are given
    config = RagConfig(question_encoder=model.config, generator=model.config)
    return _around(config, RagBackbone(model, model), model, mode or "rag-token")


def _around(config: RagConfig, backbone: RagBackbone, like: Model, mode: str) -> Model:
    stored = like.generation_config.contents()
    with torch.device("meta"):
        model = Model(ARCHITECTURE, config, mode, attention=like.attention, generation_config=stored)
    model.backbone = backbone
    model.origin = like.origin
    return model.eval()


def open_search(
    model: Model,
    origin: str | Path | Model,
    index: "str | Path | PassageSearch",
    question_encoder: str | Path | None = None,
    tokenizer: RagTokenizer | None = None,
) -> PassageSearch:
    """What finds passages for a RAG: the index of a folder with the RAG's own question encoder, or with another.

    Where the RAG has none (``model`` is a generator in a RAG's place) and no other is given, it is the encoder that the
    index was made with. Raises `PassageIndexError` for an index that does not fit the encoder.
    """
    if not isinstance(index, str | Path):
        return index
    folder, backbone = place_of(index), model.backbone
    own = isinstance(backbone, RagBackbone) and backbone.question_encoder is not backbone.generator
    if question_encoder is None and own and isinstance(backbone, RagBackbone):
        sides = _sides(origin) if tokenizer is None else tokenizer
        return searched_by(QuestionEncoder(backbone.question_encoder, sides.question_encoder), folder)
    made = maker_of(folder, "question_encoder") if question_encoder is None else model_identity(str(question_encoder))
    hub: Any = {} if made.revision is None else {"revision": made.revision}
    encoder = load_encoder(made.name, device=model.device, **hub)
    return open_index(folder, encoder, model=made)


def searched_by(encoder: QuestionEncoder, folder: Path) -> SearchIndex:
    """The index of a folder, which is searched with an encoder of questions alone.

    Such an encoder may have been trained since the passages were encoded, as a RAG's is; one that is far from that of
    the index, or that does or does not normalise as that does, is a `PassageIndexError`.
    """
    opened = read_folder(folder)
    theirs, kept = encoder.encode_query(QUERIES), opened.manifest
    if theirs.shape[1] != kept.dimension:
        raise PassageIndexError(
            f"{folder}: its vectors have {kept.dimension} numbers, those of the RAG's question encoder "
            f"{theirs.shape[1]}; build it with the encoder of passages that belongs to the RAG, or give "
            "question_encoder"
        )
    apart = 0.0 if opened.probes is None else distance(opened.probes[len(DOCUMENTS) :], theirs)
    if apart > _SAME_SPACE:
        raise PassageIndexError(
            f"{folder}: made with the model {kept.model or 'of unknown name'}, and the RAG's question encoder puts the "
            f"same questions elsewhere ({apart:.2f} of their length away), or scales them otherwise; build it with the "
            "encoder of passages that belongs to the RAG, or give question_encoder"
        )
    index = SearchIndex(opened.index, kept)
    index.encoder = _OnlyQuestions(encoder)
    return index


class _OnlyQuestions:
    """An encoder of questions in the place of one of both sides."""

    def __init__(self, encoder: QuestionEncoder) -> None:
        self._encoder = encoder
        self.dimension = encoder.dimension
        self.encode_query = encoder.encode_query

    def encode_document(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Refused: a RAG's folder has no encoder of passages."""
        raise InputError("a RAG's question encoder encodes questions; passages need the encoder that belongs to it")


def _sides(origin: str | Path | Model) -> RagTokenizer:
    if isinstance(origin, Model):
        raise InputError("a RAG that is loaded already needs both its tokenizers beside it: give a RagTokenizer")
    return RagTokenizer.from_pretrained(origin)
