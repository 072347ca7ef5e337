"""Marian (Junczys-Dowmunt et al. 2018), as OPUS-MT's models are converted (Tiedemann and Thottingal 2020)."""

from dataclasses import replace

from tfx_seq2seq.bart_kin import architecture
from tfx_seq2seq.marian.config import MarianConfig
from tfx_seq2seq.marian.heads import HEADS
from tfx_seq2seq.marian.model import DESIGN
from tfx_seq2seq.marian.tables import table_ties
from tfx_seq2seq.marian.text import RECIPE

__all__ = ["ARCHITECTURE", "MarianConfig"]

ARCHITECTURE = replace(architecture(DESIGN, MarianConfig, HEADS, RECIPE), ties=table_ties)
