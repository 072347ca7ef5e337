"""The task example-task; imported for every listing: keep this file light."""
