"""What ties config, network, heads, names of weights and text together."""

from tfx_core import Architecture, Backbone
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan, causal_decoding
from tfx_core.model.heads import CausalLMHead, LMHead, last_token_classification, token_classification
from tfx_core.nn import initialise_normal
from torch import Generator, nn

from tfx_example_architecture.config import ExampleConfig
from tfx_example_architecture.model import build_backbone
from tfx_example_architecture.text import RECIPE
from tfx_example_architecture.weights import backbone_rules


def _causal_lm(config: ExampleConfig, backbone: Backbone) -> CausalLMHead:
    return CausalLMHead(LMHead(nn.Linear(backbone.width, config.vocab_size, bias=False)))


def _initialise(
    path: str,
    module: nn.Module,
    config: ExampleConfig,
    generator: Generator | None,
) -> None:
    """Fill one new module; draw from the generator, or a seed would not give the same model again."""
    initialise_normal(module, config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=ExampleConfig,
    backbone=build_backbone,
    heads={  # a head: how it is built, and what its tensors are called in a checkpoint and here
        "causal-lm": HeadPlan(
            _causal_lm,
            rules={"predictions": (Rename("lm_head.weight", "head.predictions.decoder.weight"),)},
            ties=(("head.predictions.decoder.weight", "backbone.embeddings.token.weight"),),
        ),
        "sequence-classification": last_token_classification(),
        "token-classification": token_classification(lambda config: config.classifier_dropout, name="score"),
    },
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},  # as in plugin.py, each with the optional parts that give it
    text=RECIPE,
    decoding=causal_decoding,  # what generate() keeps between steps; leave it out where the model does not write
)
