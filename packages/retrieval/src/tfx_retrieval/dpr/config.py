"""DPR's configuration."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Count
from tfx_core.model import ExtendedConfig


@dataclass(kw_only=True)
class DprConfig(ExtendedConfig):
    """Keys of a DPR's ``config.json``: those of the text encoder, BERT's unless it names another, and one more."""

    model_type: ClassVar[str] = "dpr"
    default_text_model_type: ClassVar[str] = "bert"

    projection_dim: Count = 0
    """Width of the vectors of questions and passages; 0 for that of the states, which are not projected."""
