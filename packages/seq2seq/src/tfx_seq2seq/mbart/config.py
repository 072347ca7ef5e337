"""mBART's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tfx_core.fields import Rate
from tfx_seq2seq.bart_kin import BartKinConfig


@dataclass(kw_only=True)
class MBartConfig(BartKinConfig):
    """Keys of an mBART's ``config.json`` (Liu et al. 2020, Tang et al. 2020); the defaults are of BART's sizes."""

    model_type: ClassVar[str] = "mbart"
    aliases: ClassVar[Mapping[str, str]] = {**BartKinConfig.aliases, "classif_dropout": "classifier_dropout"}
    # the first files are of the class that served BART, too
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {
        "add_bias_logits": (False,),
        "add_final_layer_norm": (True,),
        "do_blenderbot_90_layernorm": (False,),
        "extra_pos_embeddings": (2,),
        "normalize_before": (True,),
        "normalize_embedding": (True,),
        "static_position_embeddings": (False,),
    }

    decoder_start_token_id: int | None = None
    """Id with which the decoder begins; the language to write, where that is not said by a forced first token."""
    classifier_dropout: Rate = 0.0
    """Dropout before the classifier."""
