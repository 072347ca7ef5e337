"""XLM-RoBERTa (Conneau et al. 2020): RoBERTa with a vocabulary for a hundred languages."""

from dataclasses import replace

from tfx_encoders import roberta
from tfx_encoders.xlm_roberta.config import XLMRobertaConfig
from tfx_encoders.xlm_roberta.text import RECIPE

__all__ = ["ARCHITECTURE", "XLMRobertaConfig"]


ARCHITECTURE = replace(roberta.ARCHITECTURE, config=XLMRobertaConfig, text=RECIPE)
