"""An architecture of the kin out of what is its own."""

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from tfx_core.model import Architecture, HeadPlan
from tfx_core.text import Recipe
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.bart_kin.design import Design
from tfx_seq2seq.bart_kin.model import build_backbone, initialise
from tfx_seq2seq.bart_kin.weights import backbone_rules
from tfx_seq2seq.decoding import seq2seq_decoding

C = TypeVar("C", bound=BartKinConfig)


def architecture(design: Design, config: type[C], heads: Mapping[str, HeadPlan[C]], text: Recipe) -> Architecture[C]:
    """The architecture of a design, with a config and heads, and what reads its tokenizers' files."""
    return Architecture(
        config=config,
        backbone=partial(build_backbone, design),
        heads=heads,
        weights=partial(backbone_rules, design),
        initialise=initialise,
        parts={"encoder"},
        capabilities={"token-states": ("encoder",)},
        text=text,
        decoding=seq2seq_decoding,
    )
