"""Sequence-to-sequence architectures for tfx."""

__version__ = "0.1.0"
