"""A passage index that finds passages by the signs of their vectors: Yamada et al. 2021, arXiv:2106.00882."""

__version__ = "0.1.0"
