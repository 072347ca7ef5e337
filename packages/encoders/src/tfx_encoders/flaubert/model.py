"""FlauBERT (Le et al. 2020): XLM in one language, with norms before the sublayers where it is large, and LayerDrop."""

from tfx_core.nn import PostNorm, PreNorm, Stack
from tfx_encoders.flaubert.config import FlaubertConfig
from tfx_encoders.xlm.config import XLMConfig
from tfx_encoders.xlm.model import XLMBackbone, build_layer, build_stacked


def build_backbone(config: XLMConfig, parts: frozenset[str]) -> XLMBackbone:
    """The backbone; there are no optional parts, and no last norm."""
    assert isinstance(config, FlaubertConfig)
    norm = PreNorm if config.pre_norm else PostNorm
    layers = (build_layer(config, number, norm) for number in range(config.n_layers))
    return build_stacked(config, Stack(layers, layer_drop=config.layerdrop))
