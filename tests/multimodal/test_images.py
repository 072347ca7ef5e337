"""Images of every kind become the numbers that an encoder reads, or an error that names them."""

import json
import logging
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tfx_core.errors import ConfigError, InputError
from tfx_multimodal import ImageReader, open_image
from tfx_multimodal.images import MOST_PIXELS

RED = (200, 30, 60)


def as_bytes(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The contents of a file."""
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """Noise, which tells how an image was turned and cut."""
    numbers = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(numbers)


def test_every_kind_of_source_is_the_same_image(tmp_path: Path) -> None:
    image, path = picture(), tmp_path / "a.png"
    path.write_bytes(as_bytes(image))
    with path.open("rb") as stream:
        sources = (path, str(path), path.read_bytes(), stream, image, np.asarray(image))
        read = [ImageReader()(source) for source in sources]
    assert read[0].shape == (3, 224, 224)
    assert all(torch.equal(each, read[0]) for each in read)
    assert torch.equal(ImageReader().batch(sources[:2]), torch.stack(read[:2]))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16", "I", "LA", "RGBA", "PA"])
def test_every_mode_has_three_channels(mode: str) -> None:
    image = Image.new("L", (8, 6), 255)
    image = Image.fromarray(np.full((6, 8), 65535, np.uint16)) if mode.startswith("I") else image
    read = open_image(image.convert("I") if mode == "I" else image if mode == "I;16" else image.convert(mode))
    assert (read.mode, read.size) == ("RGB", (8, 6))
    assert np.asarray(read).min() >= 254


def test_sixteen_bits_grey_keeps_its_shades() -> None:
    shades = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    data = as_bytes(Image.fromarray(shades))
    assert np.asarray(open_image(data))[..., 0].flatten().tolist() == list(range(256))


def test_what_is_transparent_lies_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    clear.putpixel((0, 0), (*RED, 255))
    read = np.asarray(open_image(as_bytes(clear)))
    assert read[0, 0].tolist() == list(RED)
    assert read[1, 1].tolist() == [255, 255, 255]
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    assert np.asarray(open_image(as_bytes(palette, transparency=0))).min() == 255


def test_an_image_is_turned_as_its_camera_says() -> None:
    image = picture()
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = open_image(as_bytes(image, exif=exif))
    assert np.array_equal(np.asarray(turned), np.rot90(np.asarray(image), -1))


def test_of_an_animation_the_first_frame_is_read_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black", "red")]
    data = as_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING):
        assert np.asarray(open_image(data)).min() == 255
    assert [record.getMessage() for record in caplog.records] == [
        "an image given as bytes: has 3 frames, of which the first is read"
    ]


def test_cmyk_as_jpeg_is_read() -> None:
    read = np.asarray(open_image(as_bytes(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")))
    assert read.min() > 250


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_file_cut_short_is_an_error_that_names_it(kind: str, tmp_path: Path) -> None:
    data = as_bytes(picture(90, 70), kind)
    assert open_image(data).size == (90, 70)
    path = tmp_path / "cut"
    for length in (len(data) // 2, len(data) * 3 // 4, 30, 9):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"/cut: (damaged or cut short|no image)"):
            open_image(path)


def png_of(width: int, height: int) -> bytes:
    """A small file that says that it is large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(9460, 9460), (13000, 13000), (60000, 60000), (2_000_000_000, 2)])
def test_a_decompression_bomb_is_refused_with_the_limit(size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png_of(*size))
    with pytest.raises(InputError, match=rf"/bomb.png: .*({MOST_PIXELS}|exceeds limit)"):
        open_image(tmp_path / "bomb.png")


def test_an_image_that_would_grow_beyond_memory_is_refused() -> None:
    with pytest.raises(InputError, match=r"1 × 900000 pixels are too narrow to be resized to 256"):
        ImageReader()(Image.new("RGB", (1, 900_000)))


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "program.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name in ("empty.png", "text.png", "program.eps"):
        with pytest.raises(InputError, match=f"/{name}: no image of a kind that is read: BMP, GIF, JPEG, PNG"):
            open_image(tmp_path / name)
    wrong: list[tuple[Any, str]] = [
        ("https://example.org/a.png", "https://example.org/a.png: is an address; download it"),
        (tmp_path / "none.png", "/none.png: cannot be read: No such file"),
        (tmp_path, "cannot be read: Is a directory"),
        (3, "an image is a path, bytes, .* not 3"),
        (np.zeros((4, 4, 3)), r"of shape \(4, 4, 3\) and type float64: must be .* of uint8"),
        (np.zeros((4, 4, 5), np.uint8), r"of shape \(4, 4, 5\)"),
        (Image.new("RGB", (0, 4)), "an image without pixels, 0 × 4"),
        (Image.new("F", (4, 4)), "floating-point pixels"),
    ]
    for source, said in wrong:
        with pytest.raises(InputError, match=said):
            open_image(source)


def test_a_small_image_grows_and_a_large_one_is_cut(tmp_path: Path) -> None:
    reader = ImageReader(shortest_edge=8, crop_size=(8, 8))
    assert torch.equal(reader.pixels(picture(16, 8)), reader.pixels(picture(16, 8).crop((4, 0, 12, 8))))
    whole = ImageReader(shortest_edge=None, crop_size=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert torch.equal((whole(picture()) * 255).round().byte().permute(1, 2, 0), torch.tensor(np.asarray(picture())))
    with pytest.raises(InputError, match=r"images of sizes .* in one batch"):
        whole.batch([picture(), picture(8, 8)])


def test_how_images_are_read_is_stored_beside_a_model(tmp_path: Path) -> None:
    assert ImageReader.from_pretrained(tmp_path) is None
    for reader in (ImageReader(), ImageReader(shortest_edge=40, crop_size=(32, 24), mean=(0.5, 0.5, 0.5), resample=3)):
        reader.save_pretrained(tmp_path)
        assert ImageReader.from_pretrained(tmp_path) == reader
    convnext = {"crop_pct": 0.875, "size": {"shortest_edge": 224}, "resample": 3, "do_normalize": True}
    assert ImageReader.from_dict(convnext) == ImageReader(resample=3)
    assert ImageReader.from_dict({"size": 256, "crop_size": 224}) == ImageReader()
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": "wide"}}))
    with pytest.raises(ConfigError, match=r"preprocessor_config.json: shortest_edge='wide'"):
        ImageReader.from_pretrained(tmp_path)
