"""Passages as an encoder sees them, and which encoder an index belongs to."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tfx_core.embedding import Passage, Vectors
from tfx_core.errors import PassageIndexError
from tfx_retrieval.manifest import Manifest, ModelIdentity
from tfx_retrieval.probes import SAME_MODEL, Encoder, PassageEncoder, distance, probe

Progress = Callable[[int], object]
"""Called with the number of passages that were embedded since its last call."""


def embedding_text(passage: Passage, *, topic_prefix: bool) -> str:
    """Give the text that a passage is embedded as by an encoder of texts."""
    return f"{passage.topic}: {passage.text}" if topic_prefix and passage.topic else passage.text


def embed(
    encoder: Encoder, passages: Sequence[Passage], *, topic_prefix: bool, progress: Progress | None = None
) -> Vectors:
    """Give the vectors of passages, (len(passages), D) float32.

    An encoder that has ``encode_passages`` puts topic and text together in its own way, unless no topic is wanted.
    """
    if topic_prefix and isinstance(encoder, PassageEncoder):
        vectors = encoder.encode_passages(passages, progress=progress)
    else:
        texts = [embedding_text(passage, topic_prefix=topic_prefix) for passage in passages]
        vectors = encoder.encode_document(texts, progress=progress)
    return np.asarray(vectors, dtype=np.float32)


def identify(encoder: Encoder) -> ModelIdentity | None:
    """Say where an encoder comes from, if it has a ``name``: a folder, or a hub id as ``id@revision``."""
    name = getattr(encoder, "name", None)
    if not isinstance(name, str):
        return None
    hub_id, _, revision = ("", "", "") if Path(name).is_dir() else name.partition("@")
    return model_identity(hub_id or name, revision or None)


def model_identity(name: str, revision: str | None = None) -> ModelIdentity:
    """Give the identity of a hub id, or of a local folder so that it is found from any working directory."""
    return ModelIdentity(str(Path(name).absolute()) if Path(name).is_dir() else name, revision)


def check_model(
    folder: Path, manifest: Manifest, probes: Vectors | None, encoder: Encoder, model: ModelIdentity | None
) -> None:
    """Raise a `PassageIndexError` that names both models unless the encoder puts texts where the index has them."""
    theirs, ours = f"the model {manifest.model or 'of unknown name'}", f"the model {model or 'given'}"
    if encoder.dimension != manifest.dimension:
        raise PassageIndexError(
            f"{folder}: made with {theirs}, whose vectors have {manifest.dimension} numbers; those of {ours} have "
            f"{encoder.dimension}; search the index with its own model, or build it again with the other"
        )
    if probes is None:
        return
    apart = distance(probes, probe(encoder))
    if apart > SAME_MODEL:
        raise PassageIndexError(
            f"{folder}: made with {theirs}, and {ours} puts the same texts elsewhere ({apart:.2f} of "
            "their length away); search the index with its own model, or build it again with the other"
        )
