"""A decoder as a third party would publish it (LLaMA, Touvron et al. 2023): plugin and architecture in one file."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from tfx_core import Architecture, ArchitectureSpec, Backbone, ModelConfig, hookimpl
from tfx_core.checkpoint import BackboneRules, Drop, Fuse, Rename
from tfx_core.fields import Count, Positive, Rate, Size
from tfx_core.model import HeadPlan, TransformerBackbone, causal_decoding
from tfx_core.model.heads import CausalLMHead, LMHead, last_token_classification, token_classification
from tfx_core.nn import (
    Activation,
    ActivationFunction,
    Attention,
    Embeddings,
    FusedProjections,
    GatedFeedForward,
    Layer,
    PreNorm,
    RMSNorm,
    Rotary,
    Stack,
    initialise_normal,
)


@dataclass(kw_only=True)
class LlamaConfig(ModelConfig):
    """Keys of the reference's ``config.json``."""

    model_type: ClassVar[str] = "stranger-llama"

    vocab_size: Size = 32000
    hidden_size: Size = 4096
    intermediate_size: Size = 11008
    num_hidden_layers: Count = 32
    num_attention_heads: Size = 32
    num_key_value_heads: Size | None = None
    hidden_act: Activation = "silu"
    max_position_embeddings: Size = 2048
    initializer_range: Positive = 0.02
    rms_norm_eps: Positive = 1e-6
    rope_theta: Positive = 10000.0
    rope_scaling: None = None
    attention_dropout: Rate = 0.0
    tie_word_embeddings: bool = False
    bos_token_id: int | None = 1
    eos_token_id: int | tuple[int, ...] | None = 2

    def validate(self) -> None:
        heads = self.num_attention_heads
        self.require(self.hidden_size % heads == 0, "num_attention_heads", f"a divisor of {self.hidden_size}")
        self.require(heads % self.key_heads == 0, "num_key_value_heads", f"a divisor of num_attention_heads={heads}")

    @property
    def key_heads(self) -> int:
        return self.num_attention_heads if self.num_key_value_heads is None else self.num_key_value_heads


def build_backbone(config: LlamaConfig, parts: frozenset[str]) -> TransformerBackbone:
    return TransformerBackbone(
        embeddings=Embeddings(nn.Embedding(config.vocab_size, config.hidden_size)),
        stack=Stack((_layer(config) for _ in range(config.num_hidden_layers)), norm=_norm(config)),
        causal=True,
        max_positions=config.max_position_embeddings,
    )


def _layer(config: LlamaConfig) -> Layer:
    width, inner = config.hidden_size, config.intermediate_size
    feed_forward = GatedFeedForward(
        nn.Linear(width, inner, bias=False),
        nn.Linear(width, inner, bias=False),
        ActivationFunction(config.hidden_act),
        nn.Linear(inner, width, bias=False),
    )
    return Layer(PreNorm(_attention(config), _norm(config), 0.0), PreNorm(feed_forward, _norm(config), 0.0))


def _attention(config: LlamaConfig) -> Attention:
    width, heads = config.hidden_size, config.num_attention_heads
    return Attention(
        FusedProjections(width, width, queries_per_key=heads // config.key_heads, bias=False),
        nn.Linear(width, width, bias=False),
        heads,
        encoding=Rotary(width // heads, base=config.rope_theta),
        dropout=config.attention_dropout,
    )


def _norm(config: LlamaConfig) -> RMSNorm:
    return RMSNorm(config.hidden_size, config.rms_norm_eps)


def _causal_lm(config: LlamaConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(LMHead(nn.Linear(backbone.width, config.vocab_size, bias=False)))


def backbone_rules(config: LlamaConfig, parts: frozenset[str]) -> BackboneRules:
    theirs, ours = "model.layers.{i}.", "backbone.stack.layers.{i}."
    width, key_width = config.hidden_size, config.hidden_size // config.num_attention_heads * config.key_heads
    core = (
        Rename("model.embed_tokens.weight", "backbone.embeddings.token.weight"),
        Rename("model.norm.weight", "backbone.stack.norm.weight"),
        Rename(theirs + "input_layernorm.weight", ours + "self_attention.norm.weight"),
        Fuse(
            tuple(theirs + f"self_attn.{part}_proj.weight" for part in "qkv"),
            ours + "self_attention.sublayer.projections.qkv.weight",
            sizes=(width, key_width, key_width),
        ),
        Rename(theirs + "self_attn.o_proj.weight", ours + "self_attention.sublayer.out.weight"),
        Drop(theirs + "self_attn.rotary_emb.inv_freq"),  # follows from rope_theta; stored by older versions
        Rename(theirs + "post_attention_layernorm.weight", ours + "feed_forward.norm.weight"),
        Rename(theirs + "mlp.{part:gate|up|down}_proj.weight", ours + "feed_forward.sublayer.{part}.weight"),
    )
    return BackboneRules(core, prefix="model.")


ARCHITECTURE = Architecture(
    config=LlamaConfig,
    backbone=build_backbone,
    heads={
        "causal-lm": HeadPlan(
            _causal_lm,
            rules={"predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),)},
            ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
        ),
        "sequence-classification": last_token_classification(),
        "token-classification": token_classification(lambda config: 0.1, name="score"),
    },
    weights=backbone_rules,
    initialise=lambda path, module, config, generator: initialise_normal(module, config.initializer_range, generator),
    capabilities={"token-states": ()},
    decoding=causal_decoding,
)


@hookimpl
def tfx_architectures() -> list[ArchitectureSpec]:
    classes = {
        "LlamaModel": "backbone",
        "LlamaForCausalLM": "causal-lm",
        "LlamaForSequenceClassification": "sequence-classification",
        "LlamaForTokenClassification": "token-classification",
    }
    target = "tests.core.stranger_llama:ARCHITECTURE"
    return [ArchitectureSpec("stranger-llama", target, hf_classes=classes, capabilities=("token-states",))]
