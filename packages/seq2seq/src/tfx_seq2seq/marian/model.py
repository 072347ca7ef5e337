"""Marian: a post-norm encoder-decoder with sines for positions (Vaswani et al. 2017) and embeddings as they are."""

from tfx_core.nn import PostNorm
from tfx_seq2seq.bart_kin import Design, sinusoidal_positions
from tfx_seq2seq.marian.tables import TWO_TABLES

DESIGN = Design(
    residual=PostNorm, positions=sinusoidal_positions, embedding_norm=False, final_norm=False, tables=TWO_TABLES
)
