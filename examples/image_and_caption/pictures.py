"""Pictures of a shape, and captions that ask for one of three things that can be seen."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

import tfx_core

COLOURS = {"red": (210, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 210)}
SHAPES = ("circle", "square", "triangle")
PLACES = ("top", "middle", "bottom")
ANSWERS = {"colour": tuple(COLOURS), "shape": SHAPES, "place": PLACES}
LABELS = (*COLOURS, *SHAPES, *PLACES)
THIRD = 16
SIDE = 3 * THIRD
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class Example:
    """A picture, what its caption asks for, and the number of what is right."""

    image: Image.Image
    caption: str
    label: int


def examples(seed: int) -> Iterator[Example]:
    """Without end; colour, shape, place and question are independent of each other.

    So a caption leaves three answers that are equally likely, and a picture three that are right to some question.
    """
    chance = random.Random(seed)
    while True:
        seen = {asked: chance.choice(answers) for asked, answers in ANSWERS.items()}
        asked = chance.choice([*ANSWERS])
        image = drawn(seen["colour"], seen["shape"], PLACES.index(seen["place"]), chance)
        yield Example(image, f"which {asked} is it", LABELS.index(seen[asked]))


def drawn(colour: str, shape: str, third: int, chance: random.Random) -> Image.Image:
    """The shape on a light ground, of some size, somewhere in this third."""
    image = Image.new("RGB", (SIDE, SIDE), tuple(chance.randrange(190, 256) for _ in range(3)))
    size = chance.randrange(10, THIRD - 1)
    left, top = chance.randrange(SIDE - size), third * THIRD + chance.randrange(THIRD - size)
    right, bottom = left + size, top + size
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((left, top, right, bottom), COLOURS[colour])
    elif shape == "square":
        pen.rectangle((left, top, right, bottom), COLOURS[colour])
    else:
        pen.polygon([((left + right) / 2, top), (left, bottom), (right, bottom)], COLOURS[colour])
    return image


def saved_tokenizer(folder: Path) -> tfx_core.Tokenizer:
    """One of BERT's kind that knows the words of the captions, written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    words = "\n".join([*SPECIAL, "which", *ANSWERS, "is", "it", ""])
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}\n', encoding="utf-8")
    return tfx_core.load_tokenizer(folder)
