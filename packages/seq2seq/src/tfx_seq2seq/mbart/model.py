"""mBART (Liu et al. 2020): BART in the order of pre-norm, whose decoder begins with the token of a language."""

from tfx_core.nn import PreNorm
from tfx_seq2seq.backbone import after_last_token
from tfx_seq2seq.bart_kin import Design, learned_positions

DESIGN = Design(
    residual=PreNorm, positions=learned_positions, embedding_norm=True, final_norm=True, shift=after_last_token
)
