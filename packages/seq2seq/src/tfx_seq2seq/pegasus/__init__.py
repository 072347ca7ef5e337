"""Pegasus (Zhang et al. 2020)."""

from tfx_seq2seq.bart_kin import architecture
from tfx_seq2seq.pegasus.config import PegasusConfig
from tfx_seq2seq.pegasus.heads import HEADS
from tfx_seq2seq.pegasus.model import DESIGN
from tfx_seq2seq.pegasus.text import RECIPE

__all__ = ["ARCHITECTURE", "PegasusConfig"]

ARCHITECTURE = architecture(DESIGN, PegasusConfig, HEADS, RECIPE)
