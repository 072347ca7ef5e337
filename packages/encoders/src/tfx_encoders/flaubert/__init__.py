"""FlauBERT (Le et al. 2020): XLM for French, whose layers may begin with their norms."""

from dataclasses import replace

from tfx_encoders import xlm
from tfx_encoders.flaubert.config import FlaubertConfig
from tfx_encoders.flaubert.model import build_backbone
from tfx_encoders.flaubert.text import RECIPE

__all__ = ["ARCHITECTURE", "FlaubertConfig"]


ARCHITECTURE = replace(xlm.ARCHITECTURE, config=FlaubertConfig, backbone=build_backbone, text=RECIPE)
