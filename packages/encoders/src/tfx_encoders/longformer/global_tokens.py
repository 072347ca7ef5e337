"""Which tokens are global where a call does not say it: what is asked or classified, as for the released models."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model import Inputs, one_of
from tfx_core.nn import RealTokens, SameText, can_read, check_ids, packed_texts
from tfx_encoders.longformer.config import LongformerConfig


@dataclass(frozen=True)
class Texts:
    """The texts of a call, of which a row may be packed."""

    real: Tensor
    """Boolean ``(B, T)``."""
    begins: Tensor
    """Boolean ``(B, T)``: the first token of each."""

    @classmethod
    def of(cls, tokens: RealTokens, packed: SameText | None) -> "Texts":
        """One in each row, or as they are packed."""
        real = tokens.dense_mask
        begins = real & (real.cumsum(1) == 1)
        if packed is not None:
            begins |= F.pad(packed.texts[:, 1:] != packed.texts[:, :-1], (1, 0))
        return cls(real, begins)

    def count(self, flags: Tensor) -> Tensor:
        """How many of ``flags`` ``(B, T)`` there are from the beginning of its text up to each token."""
        total = flags.cumsum(1)
        return total - (total - flags.long()).masked_fill(~self.begins, 0).cummax(1).values


class GlobalRule(ABC):
    """Chooses the global tokens of a call."""

    def __init__(self, config: LongformerConfig) -> None:
        self.config = config

    def applied(self, inputs: Inputs) -> Inputs:
        """The inputs of a call with a ``global_attention_mask``; raises `InputError` where they do not tell it."""
        tokens = one_of(inputs.get("input_ids"), inputs.get("inputs_embeds"))
        mask = inputs.get("attention_mask")
        real = RealTokens.of(tokens, mask).at(inputs.get("position_ids"))
        told = None if mask is not None or real.given is None else real.given - self.config.first_position
        texts = Texts.of(real, None if told is None else packed_texts(told))
        return {**inputs, "global_attention_mask": self.choose(tokens, texts)}

    @abstractmethod
    def choose(self, tokens: Tensor, texts: Texts) -> Tensor:
        """Of ids ``(B, T)`` or vectors ``(B, T, D)`` the global ones, Boolean ``(B, T)``."""

    def separators(self, tokens: Tensor, texts: Texts) -> Tensor:
        """Which tokens separate two texts, Boolean ``(B, T)``; raises `InputError` where none does in a row."""
        cure = "give global_attention_mask, 1 for each token that shall see all others"
        separator = self.config.sep_token_id
        if separator is None:
            raise InputError(f"sep_token_id=None in the config: nothing tells two texts of a row apart; {cure}")
        if tokens.is_floating_point():
            raise InputError(f"inputs_embeds: vectors do not tell which token separates two texts; {cure}")
        found = texts.real & (tokens == separator)
        if can_read(found) and not bool(found.any(1).all()) and not self._is_refused(tokens, texts):
            row = int(found.any(1).logical_not().nonzero()[0])
            raise InputError(
                f"input_ids: row {row} has no token {separator} (sep_token_id), which separates two texts; tokenize "
                f"them as a pair, or {cure}"
            )
        return found

    def _is_refused(self, ids: Tensor, texts: Texts) -> bool:
        """Whether a text is too long, as the backbone will say; raises `InputError` for ids that are none."""
        check_ids(ids, self.config.vocab_size, "input_ids")
        return int(texts.real.sum(1).max()) > self.config.max_position_embeddings - self.config.first_position


class FirstTokens(GlobalRule):
    """The first token of each text."""

    def choose(self, tokens: Tensor, texts: Texts) -> Tensor:
        """Where texts begin."""
        return texts.begins


class QuestionTokens(GlobalRule):
    """All tokens of the question, the first text of a pair."""

    def choose(self, tokens: Tensor, texts: Texts) -> Tensor:
        """What stands before the first separator."""
        return texts.real & (texts.count(self.separators(tokens, texts)) == 0)


class ChoiceTokens(GlobalRule):
    """All tokens of the second text of a pair, which is a choice; so the released code has it."""

    def choose(self, tokens: Tensor, texts: Texts) -> Tensor:
        """What stands behind the first separator and the token after it."""
        behind = texts.real & (texts.count(self.separators(tokens, texts)) > 0)
        return behind & (texts.count(behind) > 2)
