"""Text classification: the classes of a text, or of a text and its pair, with their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.options import LengthOptions
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, tokenize

if TYPE_CHECKING:
    from torch import Tensor

TextOrPair: TypeAlias = tuple[str, ...]
"""A text, or a text and its pair."""

Logits: TypeAlias = NDArray[np.float32]
Function: TypeAlias = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True, kw_only=True)
class TextClassificationOptions(LengthOptions):
    """Options of `TextClassification`."""

    top_k: Annotated[int | None, Between(1), Help("classes to return, the best first; none for all of them")] = 1
    function_to_apply: Annotated[
        Function | None,
        Help("what makes scores of logits (default: what the model was trained with)"),
    ] = None


class TextClassification(Task[TextClassificationOptions, TextOrPair, Logits]):
    """Strings, ``{"text": …, "text_pair": …}`` or pairs in, ``{"label": …, "score": …}`` out.

    The result is one dict with ``top_k=1``, else a list of dicts, the best first.
    """

    name = "text-classification"
    heads = ("sequence-classification",)
    options_type = TextClassificationOptions

    def parse(self, value: object, options: TextClassificationOptions) -> TextOrPair:
        """A text, or a text and its pair."""
        if isinstance(value, Mapping):
            if not {"text"} <= value.keys() <= {"text", "text_pair"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'text' and perhaps 'text_pair'")
            value = (value["text"], value["text_pair"]) if value.get("text_pair") is not None else (value["text"],)
        elif isinstance(value, str):
            value = (value,)
        elif not isinstance(value, tuple | list) or len(value) != 2:
            raise InputError(f"a text, a pair of texts or a dict is needed, not {type(value).__name__}")
        return tuple(check_text(part) for part in value)

    def encode(self, items: Sequence[TextOrPair], options: TextClassificationOptions) -> list[list[TextWindow]]:
        """One window each."""
        windows: list[list[TextWindow]] = [[] for _ in items]
        for size in (1, 2):
            chosen = [index for index, texts in enumerate(items) if len(texts) == size]
            if not chosen:
                continue
            columns = [list(column) for column in zip(*(items[index] for index in chosen), strict=True)]
            try:
                tokenized = tokenize(
                    self.model,
                    self.tokenizer,
                    *columns,
                    truncation=options.truncation,
                    max_length=options.max_length,
                )
            except ItemError as error:
                raise ItemError(chosen[error.index], error.reason) from None
            for index, window in zip(chosen, tokenized, strict=True):
                windows[index].append(window)
        return windows

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: TextClassificationOptions
    ) -> list[Logits]:
        """The logits, (C,) each."""
        return list(self.model(**batch, return_dict=True).logits.float().cpu().numpy())

    def decode(
        self,
        item: TextOrPair,
        windows: Sequence[TextWindow],
        rows: Sequence[Logits],
        options: TextClassificationOptions,
    ) -> Result:
        """The best class, or a list of the best."""
        scores = apply(options.function_to_apply or self._default_function(), rows[0])
        labels = self.model.config.id2label
        ranked = [
            {"label": labels[int(index)], "score": float(scores[index])} for index in np.argsort(-scores, kind="stable")
        ]
        return ranked[0] if options.top_k == 1 else ranked[: options.top_k]

    def _default_function(self) -> Function:
        config = self.model.config
        if config.problem_type == "regression":
            return "none"
        if config.problem_type == "multi_label_classification" or config.num_labels == 1:
            return "sigmoid"
        return "softmax"


def apply(function: Function, logits: Logits) -> Logits:
    """Scores (…, C) of logits (…, C)."""
    if function == "none":
        return logits
    if function == "sigmoid":
        # of the magnitude, so that exp cannot overflow
        falling = np.exp(-np.abs(logits))
        scores: Logits = np.where(logits >= 0, np.float32(1), falling) / (1 + falling)
        return scores
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalised: Logits = shifted / shifted.sum(axis=-1, keepdims=True)
    return normalised
