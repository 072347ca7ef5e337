"""Models of texts and images for tfx.

Importing this package imports neither torch nor Pillow; each public name is imported on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfx_multimodal.image_encoder import load_image_encoder
    from tfx_multimodal.images import ImageReader, open_image

_HOMES = {
    "ImageReader": "tfx_multimodal.images",
    "load_image_encoder": "tfx_multimodal.image_encoder",
    "open_image": "tfx_multimodal.images",
}

__all__ = ["ImageReader", "__version__", "load_image_encoder", "open_image"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfx_multimodal' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
