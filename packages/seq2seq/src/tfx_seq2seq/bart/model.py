"""BART (Lewis et al. 2020): a post-norm encoder-decoder with learned positions and normalised embeddings."""

from tfx_core.nn import PostNorm
from tfx_seq2seq.bart_kin import Design, learned_positions

DESIGN = Design(residual=PostNorm, positions=learned_positions, embedding_norm=True, final_norm=False)
