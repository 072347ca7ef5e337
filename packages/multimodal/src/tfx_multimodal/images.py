"""From an image, wherever it is, to the numbers that an image encoder reads."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from tfx_core.checkpoint import read_whole, write_folder
from tfx_core.errors import ConfigError, InputError, cleaned, shown
from tfx_core.fields import Checked, Size

ImageSource: TypeAlias = str | Path | bytes | BinaryIO | Image.Image | NDArray[np.uint8]
"""A path, the contents of a file, an open one, a Pillow image, or numbers ``(H, W)`` or ``(H, W, 3)`` up to 255."""

_log = logging.getLogger("tfx_multimodal")

FILE = "preprocessor_config.json"
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
"""What is read: formats of pixels, none of which runs a program, as PostScript does."""
MOST_PIXELS = 89_478_485
"""The largest image that is read, a quarter of a gigabyte of three channels: a small file may say that it is larger."""
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_WITH_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")


@dataclass(frozen=True, kw_only=True)
class ImageReader(Checked):
    """Reads images as the released ResNets expect them: resized, the centre cut out, normalised.

    Images are turned as their camera says, grey ones get three equal channels, transparent ones lie on white, of
    several pictures the first is read.
    """

    error = ConfigError

    shortest_edge: Size | None = 256
    """The shorter side after resizing; ``None`` where images are not resized."""
    crop_size: tuple[Size, Size] | None = (224, 224)
    """Height and width of the centre that is cut out; ``None`` where all of an image is read."""
    resample: Literal[0, 1, 2, 3, 4, 5] = 2
    """Pillow's number of how it resizes: 2 is bilinear, 3 bicubic."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Subtracted from each channel between 0 and 1; those of ImageNet."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Each channel is divided by it."""
    most_pixels: Size = MOST_PIXELS
    """The largest image that is read or resized to."""

    def __call__(self, source: ImageSource) -> Tensor:
        """The image ``(3, H, W)``; raises `InputError` that names it where it cannot be read."""
        return self.normalised(self.pixels(source))

    def batch(self, sources: Sequence[ImageSource]) -> Tensor:
        """Images ``(B, 3, H, W)``; raises `InputError` where they are of several sizes and not cut to one."""
        return self.normalised(stacked([self.pixels(source) for source in sources]))

    def pixels(self, source: ImageSource) -> Tensor:
        """The resized centre ``(3, H, W)``, whole numbers up to 255."""
        image = open_image(source, most_pixels=self.most_pixels)
        array = np.array(self._cropped(self._resized(image, _label(source))))
        return torch.from_numpy(array).permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels ``(…, 3, H, W)`` up to 255 -> what the encoder reads."""
        mean, std = (torch.tensor(each, device=pixels.device)[:, None, None] for each in (self.mean, self.std))
        return (pixels / 255 - mean) / std

    def _resized(self, image: Image.Image, label: str) -> Image.Image:
        if self.shortest_edge is None:
            return image
        short, long = sorted(image.size)
        sides = {short: self.shortest_edge, long: int(self.shortest_edge * long / short)}
        if self.shortest_edge * sides[long] > self.most_pixels:
            raise InputError(
                f"{label}: {image.width} × {image.height} pixels are too narrow to be resized to {self.shortest_edge} "
                "on the shorter side; cut it"
            )
        size = (sides[image.width], sides[image.height])
        return image if size == image.size else image.resize(size, Image.Resampling(self.resample))

    def _cropped(self, image: Image.Image) -> Image.Image:
        if self.crop_size is None:
            return image
        height, width = self.crop_size
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        return image.crop((left, top, left + width, top + height))  # what lies outside is black

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """By the contents of a ``preprocessor_config.json``, in the keys of all versions of transformers."""
        size, crop = values.get("size", 256), values.get("crop_size", 224)
        short: Any = size.get("shortest_edge", size.get("height")) if isinstance(size, Mapping) else size
        sides: Any = (crop.get("height"), crop.get("width")) if isinstance(crop, Mapping) else (crop, crop)
        if values.get("crop_pct") and isinstance(short, int):  # of ConvNeXT: the size is that of the centre
            sides, short = (short, short), int(short / values["crop_pct"])
        normalises = values.get("do_normalize", True)
        return cls(
            shortest_edge=short if values.get("do_resize", True) else None,
            crop_size=sides if values.get("do_center_crop", True) else None,
            resample=values.get("resample", 2),
            mean=values.get("image_mean", cls.mean) if normalises else (0.0, 0.0, 0.0),
            std=values.get("image_std", cls.std) if normalises else (1.0, 1.0, 1.0),
        )

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Self | None:
        """What a checkpoint folder or hub id says, ``None`` where it says nothing; `ConfigError` names key and file."""
        values = read_whole(path, lambda folder: folder.json(FILE))
        try:
            return None if values is None else cls.from_dict(values)
        except ConfigError as error:
            raise ConfigError(f"{path}/{FILE}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """The contents of ``preprocessor_config.json``, as transformers reads them."""
        values: dict[str, Any] = {"image_processor_type": "BitImageProcessor", "resample": self.resample}
        values |= {"do_resize": self.shortest_edge is not None, "do_center_crop": self.crop_size is not None}
        if self.shortest_edge is not None:
            values["size"] = {"shortest_edge": self.shortest_edge}
        if self.crop_size is not None:
            values["crop_size"] = dict(zip(("height", "width"), self.crop_size, strict=True))
        values |= {"do_convert_rgb": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
        return {**values, "image_mean": list(self.mean), "image_std": list(self.std)}

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it beside a model as ``preprocessor_config.json``."""
        with write_folder(folder) as staging:
            (staging / FILE).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


def stacked(images: Sequence[Tensor]) -> Tensor:
    """Images ``(3, H, W)`` -> ``(B, 3, H, W)``; raises `InputError` where they are of several sizes."""
    sizes = {tuple(each.shape) for each in images}
    if len(sizes) > 1:
        raise InputError(f"images of sizes {sorted(sizes)} in one batch: give crop_size, or one at a time")
    return torch.stack(list(images))


def open_image(source: ImageSource, *, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """The image with three channels, upright, whole; raises `InputError` that names it where there is none.

    Transparent ones are laid on white; of animated ones, and pages, the first is read and a warning says so.
    """
    label = _label(source)
    if isinstance(source, np.ndarray):
        image = _of_numbers(source, label)
    elif isinstance(source, Image.Image):
        image = source
    else:
        image = _opened(source, label)
    if image.width * image.height > most_pixels:
        raise InputError(
            f"{label}: {image.width} × {image.height} pixels; images of up to {most_pixels} are read: resize it first"
        )
    if 0 in image.size:
        raise InputError(f"{label}: an image without pixels, {image.width} × {image.height}")
    if getattr(image, "is_animated", False) and image.format != "MPO":
        _log.warning("%s: has %d frames, of which the first is read", label, getattr(image, "n_frames", 0))
    try:
        return _with_three_channels(ImageOps.exif_transpose(image), label)
    except InputError:
        raise
    except Exception as error:  # whatever a decoder makes of damaged data: OSError, SyntaxError, ValueError, …
        raise InputError(f"{label}: damaged or cut short: {_said(error)}") from None


def _opened(source: object, label: str) -> Image.Image:
    if isinstance(source, str | Path):
        if isinstance(source, str) and "://" in source[:12]:
            raise InputError(f"{label}: is an address; download it, and give the file or its bytes")
        try:
            source = Path(source).read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(f"{label}: cannot be read: {_said(error)}") from None
    if isinstance(source, bytes | bytearray | memoryview):
        source = BytesIO(source)
    if not hasattr(source, "read"):
        raise InputError(f"an image is a path, bytes, an open file, a Pillow image or an array, not {shown(source)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # ours is an error, for all that Pillow warns of
            return Image.open(source, formats=FORMATS)  # type: ignore[arg-type]
    except UnidentifiedImageError:
        raise InputError(f"{label}: no image of a kind that is read: {', '.join(FORMATS)}") from None
    except Exception as error:
        raise InputError(f"{label}: no image that can be read: {_said(error)}") from None


def _of_numbers(array: NDArray[Any], label: str) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(
            f"{label} of shape {array.shape} and type {array.dtype}: must be (height, width) or (height, width, 3) of "
            "uint8"
        )
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _with_three_channels(image: Image.Image, label: str) -> Image.Image:
    image.load()
    if image.mode == "F":
        raise InputError(f"{label}: floating-point pixels; make them whole numbers up to 255")
    if image.mode in _SIXTEEN_BITS:
        image = Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8))
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        above = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
    return image.convert("RGB")


def _label(source: object) -> str:
    """What errors call an image."""
    if isinstance(source, str | Path):
        return cleaned(str(source), 300)
    name = getattr(source, "filename", "") or getattr(source, "name", "")
    return cleaned(name, 300) if isinstance(name, str) and name else f"an image given as {type(source).__name__}"


def _said(error: Exception) -> str:
    return cleaned(getattr(error, "strerror", None) or str(error) or type(error).__name__, 300)
