"""RAG: retrieval-augmented generation (Lewis et al. 2020)."""

from collections.abc import Mapping
from typing import Any

from tfx_core.errors import InputError
from tfx_core.model import GENERATION_KEYS, Architecture, Model
from tfx_retrieval.rag.config import RagConfig
from tfx_retrieval.rag.decoding import rag_decoding
from tfx_retrieval.rag.heads import HEADS
from tfx_retrieval.rag.model import RagOutput, backbone_rules, build_backbone
from tfx_retrieval.rag.writing import SPECIAL_TOKENS

__all__ = ["ARCHITECTURE", "RagConfig", "RagOutput"]


def _joined(parts: Mapping[str, Model]) -> dict[str, Any]:
    """Their configs, the generator's with what its folder says of generation."""
    names = ("question_encoder", "generator")
    wrong = [name for name in parts if name not in (*names, "ctx_encoder")]
    missing = [name for name in names if name not in parts]
    if wrong or missing:
        raise InputError(
            f"parts: {', '.join(wrong) or 'nothing'} given; must be {' and '.join(names)}, or ctx_encoder too"
        )
    configs = {name: part.config.to_dict() for name, part in parts.items()}
    told = parts["generator"].generation_config.set_values()
    stored = {name: value for name, value in told.items() if name in (*GENERATION_KEYS, *SPECIAL_TOKENS)}
    return {**configs, "generator": {**configs["generator"], **stored}}


ARCHITECTURE = Architecture(
    config=RagConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=lambda path, module, config, generator: None,  # its parts fill themselves
    join=_joined,
    decoding=rag_decoding,
)
