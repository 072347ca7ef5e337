"""Multimodal classification: the classes of a text and an image together, with their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model import Model
from tfx_core.tasks import (
    Logits,
    Result,
    Task,
    TextClassificationOptions,
    TextWindow,
    check_text,
    ranked_classes,
    tokenize,
)
from tfx_core.text import Tokenizer
from tfx_multimodal.images import ImageReader, stacked
from tfx_multimodal.mmbt.config import MMBTConfig


class TextAndImage(NamedTuple):
    """One input: a text, and the pixels of its image, ``None`` where there is only the text."""

    text: str
    pixels: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class PicturedWindow(TextWindow):
    """A text's tokens and the pixels of its image."""

    pixels: Tensor | None = None


class MultimodalClassification(Task[TextClassificationOptions, TextAndImage, Logits]):
    """``{"text": …, "image": …}`` or pairs in, ``{"label": …, "score": …}`` out, a list of them with ``top_k``.

    An image is whatever `tfx_multimodal.open_image` takes, or ``None`` for a text without one. What the model reads is
    the classifier token, the image, a separator, the text, and a separator (Kiela et al. 2019). ``images`` says how
    images are read; a checkpoint says it in its ``preprocessor_config.json``.
    """

    name = "multimodal-classification"
    heads = ("multimodal-classification",)
    options_type = TextClassificationOptions
    files = ("image",)

    def __init__(self, model: Model, tokenizer: Tokenizer, **options: object) -> None:
        super().__init__(model, tokenizer, **options)
        stored = ImageReader.from_pretrained(model.origin) if model.origin else None
        self.images = stored or ImageReader()

    def check_model(self, model: Model) -> None:
        """Raise `InputError` for a model that sees no pixels."""
        super().check_model(model)
        if getattr(model.backbone, "image", None) is None:
            raise InputError(
                f"{self.name}: this model has no image encoder, only features of images; give it one: "
                'tfx_core.new_model("mmbt", parts={"text": …, "image": …})'
            )

    def check_texts(self, options: TextClassificationOptions) -> None:
        """Raise `InputError`: a line of text has no image."""
        raise InputError(f'{self.name}: a text has an image beside it; give lines of {{"text": …, "image": "a.png"}}')

    def parse(self, value: object, options: TextClassificationOptions) -> TextAndImage:
        """A text and its image, which is read."""
        if isinstance(value, Mapping):
            if value.keys() != {"text", "image"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'text' and 'image'")
            value = (value["text"], value["image"])
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise InputError(f"a dict or a pair of text and image is needed, not {type(value).__name__}")
        text, image = value
        return TextAndImage(check_text(text), None if image is None else self.images.pixels(image))

    def encode(self, items: Sequence[TextAndImage], options: TextClassificationOptions) -> list[list[PicturedWindow]]:
        """One window each: the text without the token that it would begin with, which the image follows."""
        windows = tokenize(
            self.model,
            self.tokenizer,
            [item.text for item in items],
            truncation=options.truncation,
            max_length=options.max_length,
        )
        return [[self._pictured(window, item)] for window, item in zip(windows, items, strict=True)]

    def _pictured(self, window: TextWindow, item: TextAndImage) -> PicturedWindow:
        first = window.features["input_ids"][0] == self._classifier
        features = {name: window.features[name][int(first) :] for name in ("input_ids", "attention_mask")}
        return PicturedWindow(features=features, pixels=item.pixels)

    def row_tokens(self, windows: Sequence[TextWindow], options: TextClassificationOptions) -> list[int]:
        """Those of the image, and of the two tokens around it, beside those of the text."""
        of_image = cast(MMBTConfig, self.model.config).num_image_embeds + 2
        return [len(window) + (0 if _pixels(window) is None else of_image) for window in windows]

    @property
    def _separator(self) -> int:
        return _known("sep_token_id", self.tokenizer.sep_token_id, self.tokenizer.eos_token_id)

    @property
    def _classifier(self) -> int:
        return _known("cls_token_id", self.tokenizer.cls_token_id, self.tokenizer.bos_token_id)

    def compute(
        self, batch: Mapping[str, Tensor], windows: Sequence[TextWindow], options: TextClassificationOptions
    ) -> list[Logits]:
        """The logits, (C,) each, of the rows with an image and of those without."""
        rows: list[Logits | None] = [None] * len(windows)
        pictured = [index for index, each in enumerate(windows) if _pixels(each) is not None]
        alone = [index for index, each in enumerate(windows) if _pixels(each) is None]
        for chosen in filter(None, (pictured, alone)):
            inputs = {name: tensor[chosen] for name, tensor in batch.items()}
            if chosen is pictured:
                inputs |= self._of_images([_pixels(windows[index]) for index in chosen])
            logits = self.model(**inputs, return_dict=True).logits.float().cpu().numpy()
            for index, row in zip(chosen, logits, strict=True):
                rows[index] = row
        return [row for row in rows if row is not None]

    def _of_images(self, pixels: Sequence[Tensor | None]) -> dict[str, Tensor]:
        images = self.images.normalised(stacked([each for each in pixels if each is not None]))
        around = {"modal_start_tokens": self._classifier, "modal_end_tokens": self._separator}
        return {
            "input_modal": images.to(self.model.device, self.model.dtype),
            **{name: torch.full((len(images),), token, device=self.model.device) for name, token in around.items()},
        }

    def decode(
        self,
        item: TextAndImage,
        windows: Sequence[TextWindow],
        rows: Sequence[Logits],
        options: TextClassificationOptions,
    ) -> Result:
        """The best class, or a list of the best."""
        return ranked_classes(self.model.config, rows[0], options)

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write model, tokenizer and how images are read into one folder."""
        super().save_pretrained(save_directory)
        self.images.save_pretrained(save_directory)


def _pixels(window: TextWindow) -> Tensor | None:
    return window.pixels if isinstance(window, PicturedWindow) else None


def _known(name: str, *ids: Any) -> int:
    known = next((each for each in ids if each is not None), None)
    if known is None:
        raise InputError(f"the tokenizer has no {name}, which stands beside the image")
    return int(known)
