"""A linear-chain CRF that labels the tokens of a text together: Lafferty et al. 2001; Lample et al. 2016."""

__version__ = "0.1.0"
