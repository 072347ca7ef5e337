"""Names of the tensors of Transformer-XL's backbone in a checkpoint."""

import torch
from torch import Tensor

from tfx_core.checkpoint import BackboneRules, Constant, Rename, Rule, Same
from tfx_decoders.transfo_xl.config import TransfoXLConfig

_THEIRS = "transformer.layers.{i}."
_OURS = "backbone.stack.layers.{i}."
_ATTENTION = _OURS + "self_attention.sublayer."
_BIASES = {"r_w_bias": "content", "r_r_bias": "position"}


def backbone_rules(config: TransfoXLConfig, parts: frozenset[str]) -> BackboneRules:
    """The rules; a config decides whether position biases are one for all layers."""
    core: tuple[Rule, ...] = (
        Rename("transformer.word_emb.emb_layers.{i}.weight", "backbone.embeddings.tables.{i}.weight"),
        Rename("transformer.word_emb.emb_projs.{i}", "backbone.embeddings.projections.{i}.weight"),
        Rename(_THEIRS + "dec_attn.qkv_net.weight", _ATTENTION + "projections.qkv.weight"),
        Rename(_THEIRS + "dec_attn.o_net.weight", _ATTENTION + "out.weight"),
        Rename(_THEIRS + "dec_attn.r_net.weight", _ATTENTION + "position.project.weight"),
        Rename(_THEIRS + "dec_attn.layer_norm.{p}", _OURS + "self_attention.norm.{p}"),
        Rename(_THEIRS + "pos_ff.layer_norm.{p}", _OURS + "feed_forward.norm.{p}"),
        Rename(_THEIRS + "pos_ff.CoreNet.0.{p}", _OURS + "feed_forward.sublayer.up.{p}"),
        Rename(_THEIRS + "pos_ff.CoreNet.3.{p}", _OURS + "feed_forward.sublayer.down.{p}"),
        Constant("transformer.pos_emb.inv_freq", lambda: _frequencies(config.d_model)),
        *_biases(config),
    )
    return BackboneRules(core, prefix="transformer.")


def _biases(config: TransfoXLConfig) -> list[Rule]:
    """Of every layer, or of all; those of all are stored for every layer, too, where the reference looks for them."""
    rules: list[Rule] = []
    for theirs, ours in _BIASES.items():
        if config.untie_r:
            rules.append(Rename(f"{_THEIRS}dec_attn.{theirs}", f"{_ATTENTION}position.biases.{ours}"))
            continue
        rules.append(Rename(f"transformer.{theirs}", f"{_ATTENTION}position.biases.{ours}".replace("{i}", "0")))
        rules += [
            Same(f"transformer.layers.{layer}.dec_attn.{theirs}", f"transformer.{theirs}", written=True)
            for layer in range(config.n_layer)
        ]
    return rules


def _frequencies(width: int) -> Tensor:
    """Of the sinusoids: the reference stores them and cannot do without."""
    return 1 / 10000 ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
