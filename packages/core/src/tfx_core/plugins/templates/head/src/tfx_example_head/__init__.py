"""The head example-head; imported for every listing: keep this file light."""
