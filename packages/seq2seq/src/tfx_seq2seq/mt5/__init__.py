"""mT5 (Xue et al. 2021): T5 1.1 with a vocabulary for a hundred languages."""

from dataclasses import replace

from tfx_seq2seq import t5
from tfx_seq2seq.mt5.config import MT5Config

__all__ = ["ARCHITECTURE", "MT5Config"]

ARCHITECTURE = replace(t5.ARCHITECTURE, config=MT5Config)
