"""Text classification: the classes of a text, or of a text and its pair, with their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help, checked
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.options import LengthOptions
from tfx_core.tasks.windows import ItemError, TextWindow, check_text, tokenize

if TYPE_CHECKING:
    from torch import Tensor

    from tfx_core.model.config import ModelConfig

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

    further: ClassVar[frozenset[str]] = frozenset({"return_all_scores"})

    by_number: bool = field(init=False, repr=False, default=False)
    """Whether all classes come in the order of their numbers, as ``return_all_scores`` asks for them."""

    def replaced(self, **values: Any) -> Self:
        """A copy with these values; ``return_all_scores`` sets the number of classes and their order."""
        every = checked(values.pop("return_all_scores", None), bool | None, "return_all_scores", InputError)
        if every is not None and "top_k" in values:
            raise InputError("top_k and return_all_scores say the same; give one of them")
        options = super().replaced(**values, **({} if every is None else {"top_k": None if every else 1}))
        kept = self.by_number and "top_k" not in values
        object.__setattr__(options, "by_number", kept if every is None else every)
        return options


class TextClassification(Task[TextClassificationOptions, TextOrPair, Logits]):
    """Strings, ``{"text": …, "text_pair": …}`` or pairs in, ``{"label": …, "score": …}`` out.

    The result is one dict with ``top_k=1``, else a list of dicts, the best first. Of a string alone it is in a list, as
    in the reference library, unless the call itself asks with ``top_k`` for a list of dicts.
    """

    name = "text-classification"
    heads = ("sequence-classification",)
    options_type = TextClassificationOptions
    listed = True

    def alone(self, result: Result, options: Mapping[str, object]) -> Result:
        """The result in a list; one that is a list already where the call names ``top_k``."""
        return result if isinstance(result, list) and options.keys() & {"top_k", "topk"} else [result]

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
        return ranked_classes(self.model.config, rows[0], options)


def ranked_classes(config: "ModelConfig", logits: Logits, options: TextClassificationOptions) -> Result:
    """The best class of logits ``(C,)`` with its score, or a list of the best, as the options say."""
    scores = apply(options.function_to_apply or _function_of(config), logits)
    order = range(len(scores)) if options.by_number else np.argsort(-scores, kind="stable")
    ranked = [{"label": config.id2label[int(index)], "score": float(scores[index])} for index in order]
    return ranked[0] if options.top_k == 1 else ranked[: options.top_k]


def _function_of(config: "ModelConfig") -> Function:
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
