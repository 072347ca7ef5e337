"""What a model is: its config, backbone, heads and outputs, and the way from a folder to a model and back."""

from tfx_core.model.architecture import Architecture
from tfx_core.model.attentions import AttentionChoice, attention_of, kernel_of
from tfx_core.model.backbone import Backbone, Inputs
from tfx_core.model.causal_decoding import CausalDecoding, causal_decoding
from tfx_core.model.config import ModelConfig, ProblemType
from tfx_core.model.cost import AttentionCost, attention_cost
from tfx_core.model.counting import Counts, HeldTensors, counted
from tfx_core.model.extended import ExtendedConfig, extended
from tfx_core.model.heads.plan import HeadPlan
from tfx_core.model.known_keys import GENERATION_KEYS
from tfx_core.model.loading import (
    load_architecture,
    load_model,
    load_tokenizer,
    new_model,
    read_config,
    stored_head,
)
from tfx_core.model.model import Model
from tfx_core.model.outputs import ModelOutput
from tfx_core.model.part import Part, build_part, part_rules
from tfx_core.model.picture import mask_picture
from tfx_core.model.transformer import CACHE_INPUTS, SOURCE_INPUTS, TransformerBackbone, one_of

__all__ = [
    "CACHE_INPUTS",
    "GENERATION_KEYS",
    "SOURCE_INPUTS",
    "Architecture",
    "AttentionChoice",
    "AttentionCost",
    "Backbone",
    "CausalDecoding",
    "Counts",
    "ExtendedConfig",
    "HeadPlan",
    "HeldTensors",
    "Inputs",
    "Model",
    "ModelConfig",
    "ModelOutput",
    "Part",
    "ProblemType",
    "TransformerBackbone",
    "attention_cost",
    "attention_of",
    "build_part",
    "causal_decoding",
    "counted",
    "extended",
    "kernel_of",
    "load_architecture",
    "load_model",
    "load_tokenizer",
    "mask_picture",
    "new_model",
    "one_of",
    "part_rules",
    "read_config",
    "stored_head",
]
