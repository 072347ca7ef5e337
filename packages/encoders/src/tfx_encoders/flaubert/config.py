"""FlauBERT's configuration."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Rate
from tfx_encoders.xlm.config import XLMConfig


@dataclass(kw_only=True)
class FlaubertConfig(XLMConfig):
    """Keys of a FlauBERT's ``config.json``; the defaults are the reference's (Le et al. 2020)."""

    model_type: ClassVar[str] = "flaubert"

    pre_norm: bool = False
    """Whether norms come before the sublayers, not after them."""
    layerdrop: Rate = 0.0
    """Probability of leaving a layer out while training (Fan et al. 2020)."""
