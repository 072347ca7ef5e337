"""XLM-ProphetNet's configuration."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_seq2seq.prophetnet.config import ProphetNetConfig


@dataclass(kw_only=True)
class XLMProphetNetConfig(ProphetNetConfig):
    """Keys of an XLM-ProphetNet's ``config.json``, with ProphetNet's defaults; released files say 250012 tokens."""

    model_type: ClassVar[str] = "xlm-prophetnet"
