"""What BART and its relatives (mBART, Pegasus, Marian) are made of; each selects what differs with a `Design`."""

from tfx_seq2seq.bart_kin.architecture import architecture
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.bart_kin.design import Design, learned_positions, sinusoidal_positions
from tfx_seq2seq.bart_kin.heads import BiasedPredictions, causal_lm, conditional_generation
from tfx_seq2seq.bart_kin.tables import DECODER, ENCODER, SHARED, Tables, token_table

__all__ = [
    "DECODER",
    "ENCODER",
    "SHARED",
    "BartKinConfig",
    "BiasedPredictions",
    "Design",
    "Tables",
    "architecture",
    "causal_lm",
    "conditional_generation",
    "learned_positions",
    "sinusoidal_positions",
    "token_table",
]
