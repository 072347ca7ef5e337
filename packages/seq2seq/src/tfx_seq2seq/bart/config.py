"""BART's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tfx_core.fields import Rate
from tfx_seq2seq.bart_kin import BartKinConfig


@dataclass(kw_only=True)
class BartConfig(BartKinConfig):
    """Keys of a BART's ``config.json``; the defaults are BART-large (Lewis et al. 2020)."""

    model_type: ClassVar[str] = "bart"
    default_num_labels: ClassVar[int] = 3
    aliases: ClassVar[Mapping[str, str]] = {**BartKinConfig.aliases, "classif_dropout": "classifier_dropout"}
    inert_keys: ClassVar[Collection[str]] = ("force_bos_token_to_be_generated", "save_step")
    # one class served BART and its relatives, mBART and Blenderbot, before they had their own
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {
        "add_bias_logits": (False,),
        "add_final_layer_norm": (False,),
        "do_blenderbot_90_layernorm": (False,),
        "extra_pos_embeddings": (2,),
        "normalize_before": (False,),
        "normalize_embedding": (True,),
        "static_position_embeddings": (False,),
    }

    classifier_dropout: Rate = 0.0
    """Dropout before the classifier."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "config") -> Self:
        """As for every architecture; the first files of summarisers force the start token without naming it."""
        if values.get("force_bos_token_to_be_generated") and values.get("forced_bos_token_id") is None:
            values = {**values, "forced_bos_token_id": values.get("bos_token_id", cls.bos_token_id)}
        return super().from_dict(values, where=where)
