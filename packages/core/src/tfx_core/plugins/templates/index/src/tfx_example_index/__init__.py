"""The passage index example-index; imported for every listing: keep this file light."""
