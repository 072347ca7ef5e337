"""The architecture example-architecture; imported for every listing: keep this file light."""
