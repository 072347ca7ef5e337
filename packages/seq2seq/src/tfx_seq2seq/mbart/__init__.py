"""mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020)."""

from functools import partial

from tfx_core.model import Architecture
from tfx_seq2seq.bart_kin import backbone_rules, build_backbone, initialise
from tfx_seq2seq.decoding import seq2seq_decoding
from tfx_seq2seq.mbart.config import MBartConfig
from tfx_seq2seq.mbart.heads import HEADS
from tfx_seq2seq.mbart.model import DESIGN
from tfx_seq2seq.mbart.text import RECIPE

__all__ = ["ARCHITECTURE", "MBartConfig"]

ARCHITECTURE = Architecture(
    config=MBartConfig,
    backbone=partial(build_backbone, DESIGN),
    heads=HEADS,
    weights=partial(backbone_rules, DESIGN),
    initialise=initialise,
    parts={"encoder"},
    capabilities={"token-states": ("encoder",)},
    text=RECIPE,
    decoding=seq2seq_decoding,
)
