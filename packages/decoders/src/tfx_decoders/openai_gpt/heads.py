"""GPT's heads."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import last_token_classification
from tfx_decoders.gpt import causal_lm, double_heads
from tfx_decoders.openai_gpt.config import OpenAIGPTConfig

HEADS: dict[str, HeadPlan[OpenAIGPTConfig]] = {
    "causal-lm": causal_lm(),
    "double-heads": double_heads(),
    "sequence-classification": last_token_classification(),
}
