"""The attention kernel example-attention; imported for every listing: keep this file light."""
