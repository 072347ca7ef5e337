"""BART (Lewis et al. 2020)."""

from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.bart.heads import HEADS
from tfx_seq2seq.bart.model import DESIGN
from tfx_seq2seq.bart.text import RECIPE
from tfx_seq2seq.bart_kin import architecture

__all__ = ["ARCHITECTURE", "BartConfig"]

ARCHITECTURE = architecture(DESIGN, BartConfig, HEADS, RECIPE)
