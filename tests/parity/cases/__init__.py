"""Tiny configurations of every architecture, and inputs for its heads: what the parity tests enumerate."""
