"""mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020)."""

from tfx_seq2seq.bart_kin import architecture
from tfx_seq2seq.mbart.config import MBartConfig
from tfx_seq2seq.mbart.heads import HEADS
from tfx_seq2seq.mbart.model import DESIGN
from tfx_seq2seq.mbart.text import RECIPE

__all__ = ["ARCHITECTURE", "MBartConfig"]

ARCHITECTURE = architecture(DESIGN, MBartConfig, HEADS, RECIPE)
