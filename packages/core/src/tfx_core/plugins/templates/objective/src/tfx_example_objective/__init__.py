"""The objective example-objective; imported for every listing: keep this file light."""
