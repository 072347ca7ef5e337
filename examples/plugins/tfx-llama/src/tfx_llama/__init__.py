"""Llama for tfx: Touvron et al. 2023, https://arxiv.org/abs/2302.13971."""

__version__ = "0.1.0"
