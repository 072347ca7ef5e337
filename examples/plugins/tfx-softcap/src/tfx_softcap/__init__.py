"""Attention whose scores are capped: Gemma Team 2024, https://arxiv.org/abs/2408.00118, section 2."""

__version__ = "0.1.0"
