"""What a model attends to in a text: the weights of every layer and head, and a page to look at them."""

from tfx_core.attention.maps import AttentionMap, AttentionMaps, AttentionSide, Label, attention_maps
from tfx_core.attention.page import attention_page

__all__ = ["AttentionMap", "AttentionMaps", "AttentionSide", "Label", "attention_maps", "attention_page"]
