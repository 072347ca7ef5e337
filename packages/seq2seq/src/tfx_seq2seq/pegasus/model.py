"""Pegasus (Zhang et al. 2020): a pre-norm encoder-decoder with sinusoidal positions."""

from tfx_core.nn import PreNorm
from tfx_seq2seq.bart_kin import Design, sinusoidal_positions

DESIGN = Design(residual=PreNorm, positions=sinusoidal_positions, embedding_norm=False, final_norm=True)
