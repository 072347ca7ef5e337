"""XLM-ProphetNet (Liang et al. 2020, §4): ProphetNet with a vocabulary for a hundred languages."""

from dataclasses import replace

from tfx_seq2seq import prophetnet
from tfx_seq2seq.xlm_prophetnet.config import XLMProphetNetConfig
from tfx_seq2seq.xlm_prophetnet.text import RECIPE

__all__ = ["ARCHITECTURE", "XLMProphetNetConfig"]

ARCHITECTURE = replace(prophetnet.ARCHITECTURE, config=XLMProphetNetConfig, text=RECIPE)
