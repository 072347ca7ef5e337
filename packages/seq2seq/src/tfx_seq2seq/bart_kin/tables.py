"""The token tables of the two sides, and their names in a checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from tfx_core.checkpoint import Rename, Rule, Same
from tfx_seq2seq.bart_kin.config import BartKinConfig

SHARED = "model.shared.weight"
ENCODER = "model.encoder.embed_tokens.weight"
DECODER = "model.decoder.embed_tokens.weight"
"""What checkpoints call the table of both sides, and those of each."""


@dataclass(frozen=True)
class Tables:
    """What an architecture has of them."""

    make: Callable[[Any], tuple[nn.Embedding, nn.Embedding]]
    """``(config)`` -> the encoder's and the decoder's."""

    rules: Callable[[Any, bool], tuple[tuple[Rule, ...], tuple[Rule, ...]]]
    """``(config, together)`` -> the rules of a decoder, beside its encoder or alone, and those of the encoder."""


def token_table(config: BartKinConfig, tokens: int) -> nn.Embedding:
    """A table of the vectors of so many tokens."""
    return nn.Embedding(tokens, config.d_model, padding_idx=config.pad_token_id)


def _one_table(config: BartKinConfig) -> tuple[nn.Embedding, nn.Embedding]:
    table = token_table(config, config.vocab_size)
    return table, table


def _rules_of_one(config: BartKinConfig, together: bool) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    # the reference ties the tables of both sides, too, only where the output layer is tied
    untied = not config.tie_word_embeddings
    encoders = Same(ENCODER, SHARED, written=untied)
    if not together:
        return (Rename(DECODER, "backbone.embeddings.token.weight"),), (Same(SHARED, DECODER), encoders)
    tokens = Rename(SHARED, "backbone.decoder.embeddings.token.weight")
    return (tokens,), (Same(DECODER, SHARED, written=untied), encoders)


ONE_TABLE = Tables(_one_table, _rules_of_one)
"""Source and target of one vocabulary, in one module."""
