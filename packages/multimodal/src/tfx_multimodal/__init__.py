"""Models of texts and images for tfx."""

__version__ = "0.1.0"
