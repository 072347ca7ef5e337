"""Marian's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tfx_core.fields import Size
from tfx_core.nn import Activation
from tfx_seq2seq.bart_kin import BartKinConfig

DECODER_TABLE = "backbone.decoder.embeddings.token.weight"


@dataclass(kw_only=True)
class MarianConfig(BartKinConfig):
    """Keys of a Marian's ``config.json``; the defaults are the reference's, which no released model has.

    What ``share_encoder_decoder_embeddings`` and ``tie_word_embeddings`` say holds for new models; of a checkpoint its
    tensors do: two tables that differ stay two, and where there is one it serves both sides.
    """

    model_type: ClassVar[str] = "marian"
    inert_keys: ClassVar[Collection[str]] = (
        "add_bias_logits", "classif_dropout", "classifier_dropout", "extra_pos_embeddings",
        "force_bos_token_to_be_generated", "save_step",
    )  # fmt: skip
    # of the years when one class served BART and its relatives
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {
        "add_final_layer_norm": (False,),
        "do_blenderbot_90_layernorm": (False,),
        "normalize_before": (False,),
        "normalize_embedding": (False,),
        "static_position_embeddings": (True,),
    }

    vocab_size: Size = 58101
    """Number of tokens, of the source where the target has others."""
    decoder_vocab_size: Size | None = None
    """Number of tokens of the target, where these are others; by default as many as of the source."""
    share_encoder_decoder_embeddings: bool = True
    """Whether source and target have the same tokens, in one table."""
    activation_function: Activation = "gelu"
    """Activation of the feed-forward layers; OPUS-MT's have ``"swish"``, those of Tatoeba ``"relu"``."""
    pad_token_id: int | None = 58100
    """Id of the padding token."""
    bos_token_id: int | None = None
    """Id that starts a text; of none here."""
    eos_token_id: int | tuple[int, ...] | None = 0
    """Id that ends a text."""
    decoder_start_token_id: int | None = 58100
    """Id with which the decoder begins: that of padding."""

    def __post_init__(self) -> None:
        if self.decoder_vocab_size is None:
            object.__setattr__(self, "decoder_vocab_size", self.vocab_size)
        super().__post_init__()
        if self.target_vocabulary == "vocab_size":
            object.__setattr__(self, "decoder_vocab_size", self.vocab_size)

    def validate(self) -> None:
        """As of the others of BART's kin; both tables have the padding token."""
        super().validate()
        self.require(
            self.pad_token_id is None or self.pad_token_id < self.target_vocab_size,
            "pad_token_id",
            f"an id below decoder_vocab_size={self.decoder_vocab_size}",
        )

    @property
    def target_vocabulary(self) -> str:
        """The key that counts the tokens of the target; a decoder alone has no others."""
        apart = self.is_encoder_decoder and not self.share_encoder_decoder_embeddings
        return "decoder_vocab_size" if apart else "vocab_size"

    def alone(self) -> Self:
        """The config of the decoder without its encoder, which has the target's tokens alone."""
        return self.replace(is_decoder=True, is_encoder_decoder=False, vocab_size=self.target_vocab_size)

    def begins_tied(self, name: str) -> bool:
        """Of the decoder's table whether both sides have the same; of the output layer as everywhere."""
        return self.share_encoder_decoder_embeddings if name == DECODER_TABLE else self.tie_word_embeddings

    def with_ties(self, tied: Mapping[str, bool]) -> Self:
        """A copy that says which tensors are one."""
        shared = tied.get(DECODER_TABLE, self.share_encoder_decoder_embeddings)
        outputs = {name: is_tied for name, is_tied in tied.items() if name != DECODER_TABLE}
        said = self.replace(share_encoder_decoder_embeddings=shared)
        return said.replace(tie_word_embeddings=all(outputs.values())) if outputs else said
