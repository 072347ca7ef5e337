"""A toy decoder of the core's own parts, so that attention can be checked where no family is installed."""

from dataclasses import dataclass

from torch import nn

from tfx_core import Architecture, ArchitectureSpec, Backbone, ModelConfig, hookimpl
from tfx_core.checkpoint import BackboneRules, Rename
from tfx_core.fields import Count, Size
from tfx_core.model import HeadPlan, TransformerBackbone, causal_decoding
from tfx_core.model.heads import CausalLMHead, LMHead, token_classification
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    PreNorm,
    Stack,
    initialise_normal,
)


@dataclass(kw_only=True)
class ToyDecoderConfig(ModelConfig):
    """Keys of its ``config.json``."""

    model_type = "toy-decoder"

    vocab_size: Size = 53
    hidden_size: Size = 24
    num_hidden_layers: Count = 2
    num_attention_heads: Size = 4
    num_key_value_heads: Size = 2
    max_position_embeddings: Size = 40
    causal: bool = True
    bos_token_id: int | None = 1
    eos_token_id: int | tuple[int, ...] | None = 2


def _backbone(config: ToyDecoderConfig, parts: frozenset[str]) -> TransformerBackbone:
    width = config.hidden_size
    return TransformerBackbone(
        embeddings=Embeddings(
            nn.Embedding(config.vocab_size, width), nn.Embedding(config.max_position_embeddings, width)
        ),
        stack=Stack((_layer(config) for _ in range(config.num_hidden_layers)), norm=nn.LayerNorm(width)),
        causal=config.causal,
        max_positions=config.max_position_embeddings,
    )


def _layer(config: ToyDecoderConfig) -> Layer:
    width, heads = config.hidden_size, config.num_attention_heads
    projections = FusedProjections(width, width, queries_per_key=heads // config.num_key_value_heads)
    attention = Attention(projections, nn.Linear(width, width), heads)
    feed_forward = FeedForward(nn.Linear(width, 2 * width), ActivationFunction("gelu"), nn.Linear(2 * width, width))
    return Layer(PreNorm(attention, nn.LayerNorm(width), 0.0), PreNorm(feed_forward, nn.LayerNorm(width), 0.0))


def _causal_lm(config: ToyDecoderConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(LMHead(nn.Linear(backbone.width, config.vocab_size, bias=False)))


def _rules(config: ToyDecoderConfig, parts: frozenset[str]) -> BackboneRules:
    return BackboneRules((Rename("decoder.{p}", "backbone.{p}"),), prefix="decoder.")


ARCHITECTURE = Architecture(
    config=ToyDecoderConfig,
    backbone=_backbone,
    heads={
        "causal-lm": HeadPlan(
            _causal_lm, rules={"predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),)}
        ),
        "token-classification": token_classification(),
    },
    weights=_rules,
    initialise=lambda path, module, config, generator: initialise_normal(module, 0.2, generator),
    capabilities={"token-states": ()},
    decoding=causal_decoding,
)


class Plugin:
    """Provides the toy decoder."""

    @hookimpl
    def tfx_architectures(self) -> list[ArchitectureSpec]:
        """The one."""
        classes = {
            "ToyDecoderModel": "backbone",
            "ToyDecoderForCausalLM": "causal-lm",
            "ToyDecoderForTokenClassification": "token-classification",
        }
        return [
            ArchitectureSpec(
                "toy-decoder",
                target=f"{__name__}:ARCHITECTURE",
                hf_classes=classes,
                capabilities=("token-states",),
                summary="for tests",
            )
        ]
