"""Marian (Junczys-Dowmunt et al. 2018), as OPUS-MT's models are converted (Tiedemann and Thottingal 2020)."""

from functools import partial

from tfx_core.model import Architecture
from tfx_seq2seq.bart_kin import backbone_rules, build_backbone, initialise
from tfx_seq2seq.decoding import seq2seq_decoding
from tfx_seq2seq.marian.config import MarianConfig
from tfx_seq2seq.marian.heads import HEADS
from tfx_seq2seq.marian.model import DESIGN
from tfx_seq2seq.marian.tables import table_ties
from tfx_seq2seq.marian.text import RECIPE

__all__ = ["ARCHITECTURE", "MarianConfig"]

ARCHITECTURE = Architecture(
    config=MarianConfig,
    backbone=partial(build_backbone, DESIGN),
    heads=HEADS,
    weights=partial(backbone_rules, DESIGN),
    initialise=initialise,
    parts={"encoder"},
    capabilities={"token-states": ("encoder",)},
    ties=table_ties,
    text=RECIPE,
    decoding=seq2seq_decoding,
)
