"""XLM-RoBERTa's configuration."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Size
from tfx_encoders.roberta.config import RobertaConfig


@dataclass(kw_only=True)
class XLMRobertaConfig(RobertaConfig):
    """Keys of an XLM-RoBERTa's ``config.json``; the defaults are the reference's (Conneau et al. 2020)."""

    model_type: ClassVar[str] = "xlm-roberta"

    vocab_size: Size = 30522
    """Number of tokens; 250002 in released files."""
