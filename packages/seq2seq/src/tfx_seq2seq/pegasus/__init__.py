"""Pegasus (Zhang et al. 2020)."""

from functools import partial

from tfx_core.model import Architecture
from tfx_seq2seq.bart_kin import backbone_rules, build_backbone, initialise
from tfx_seq2seq.decoding import seq2seq_decoding
from tfx_seq2seq.pegasus.config import PegasusConfig
from tfx_seq2seq.pegasus.heads import HEADS
from tfx_seq2seq.pegasus.model import DESIGN
from tfx_seq2seq.pegasus.text import RECIPE

__all__ = ["ARCHITECTURE", "PegasusConfig"]

ARCHITECTURE = Architecture(
    config=PegasusConfig,
    backbone=partial(build_backbone, DESIGN),
    heads=HEADS,
    weights=partial(backbone_rules, DESIGN),
    initialise=initialise,
    parts={"encoder"},
    capabilities={"token-states": ("encoder",)},
    text=RECIPE,
    decoding=seq2seq_decoding,
)
