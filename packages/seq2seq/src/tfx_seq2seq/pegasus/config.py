"""Pegasus's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tfx_seq2seq.bart_kin import BartKinConfig


@dataclass(kw_only=True)
class PegasusConfig(BartKinConfig):
    """Keys of a Pegasus's ``config.json`` (Zhang et al. 2020); released files say more than the defaults do.

    ``max_position_embeddings`` bounds a text, 512 or 1024 tokens in released files. Positions are computed, so a model
    reads longer ones with a larger number there and ``ignore_mismatched_sizes=True`` for the table that its file has.
    """

    model_type: ClassVar[str] = "pegasus"
    # BART's class, which once served it, has classifiers, and further rows in a table of positions that is learned
    inert_keys: ClassVar[Collection[str]] = ("classif_dropout", "classifier_dropout", "extra_pos_embeddings")
    # and was told with these what a Pegasus is
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {
        "add_bias_logits": (False,),
        "add_final_layer_norm": (True,),
        "do_blenderbot_90_layernorm": (False,),
        "force_bos_token_to_be_generated": (False,),
        "normalize_before": (True,),
        "normalize_embedding": (False,),
        "static_position_embeddings": (True,),
    }

    pad_token_id: int | None = 0
    """Id of the padding token."""
    bos_token_id: int | None = None
    """Id that starts a text: none does."""
    eos_token_id: int | tuple[int, ...] | None = 1
    """Id that ends a text."""
    decoder_start_token_id: int | None = 0
    """Id with which the decoder begins."""
