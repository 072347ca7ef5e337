"""RoBERTa's configuration."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Size
from tfx_encoders.post_norm.config import PostNormConfig


@dataclass(kw_only=True)
class RobertaConfig(PostNormConfig):
    """Keys of a RoBERTa's ``config.json``; the defaults are the reference's.

    Released files say 514 positions, one token type and an epsilon of 1e-5 (Liu et al. 2019).
    """

    model_type: ClassVar[str] = "roberta"
    settable: ClassVar[Collection[str]] = frozenset(PostNormConfig.settable) - {"pad_token_id"}

    vocab_size: Size = 50265
    """Number of tokens."""
    max_position_embeddings: Size = 512
    """Rows of the position table, of which those up to ``pad_token_id`` belong to no position of a text."""
    pad_token_id: int | None = 1
    """Id of the padding token, and number of the row before the first position's."""
    bos_token_id: int | None = 0
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id, or ids, that end a text."""

    def validate(self) -> None:
        """There is a padding token, and a position behind its row."""
        self.require(self.pad_token_id is not None, "pad_token_id", "an id: positions begin at the one after it")
        super().validate()
        self.require(
            self.max_position_embeddings > self.first_position,
            "max_position_embeddings",
            f"more than pad_token_id + 1 = {self.first_position}, the rows before the first position's",
        )

    @property
    def first_position(self) -> int:
        """Row of the position table that belongs to a text's first token."""
        assert self.pad_token_id is not None
        return self.pad_token_id + 1
