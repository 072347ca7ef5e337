"""Marian's token tables: two modules, whose tensors are one where the checkpoint, or a new model's config, says so.

Released configs of some years say another thing of them than the tensors beside them, which are what was trained.
"""

from torch import nn

from tfx_core.checkpoint import Rename, Rule, Same
from tfx_seq2seq.bart_kin import DECODER, ENCODER, SHARED, Tables, token_table
from tfx_seq2seq.marian.config import DECODER_TABLE, MarianConfig

_ENCODER_TABLE = "backbone.encoder.embeddings.token.weight"


def table_ties(config: MarianConfig, parts: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The two may be one, where there are two."""
    return ((DECODER_TABLE, _ENCODER_TABLE),) if "encoder" in parts else ()


def _make(config: MarianConfig) -> tuple[nn.Embedding, nn.Embedding]:
    return token_table(config, config.vocab_size), token_table(config, config.target_vocab_size)


def _rules(config: MarianConfig, together: bool) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    shared = config.share_encoder_decoder_embeddings
    if not together:
        alone = Rename(DECODER, "backbone.embeddings.token.weight")
        return (alone, Same(SHARED, DECODER, apart=True)), (Rename(ENCODER, _ENCODER_TABLE),)
    # version 5 of the reference ties the tables of both sides only where the output layer is tied, too; it stores a
    # third one beside them then, which it does not read
    tied, untied = shared and config.tie_word_embeddings, shared and not config.tie_word_embeddings
    decoder = Rename(DECODER, DECODER_TABLE, always=untied)
    encoder = Same(SHARED, ENCODER, apart=True, written=untied, instead=tied)
    return (decoder,), (Rename(ENCODER, _ENCODER_TABLE), encoder)


TWO_TABLES = Tables(_make, _rules)
