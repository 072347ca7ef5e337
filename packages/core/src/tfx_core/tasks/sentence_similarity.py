"""Sentence similarity: how alike the vectors are that an encoder makes of texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_core.fields import Help
from tfx_core.tasks.base import Progress, Result, Task
from tfx_core.tasks.options import TaskOptions, read_options
from tfx_core.tasks.windows import TextWindow, check_text, in_groups

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tfx_core.embedding import TextEncoder
    from tfx_core.model.attentions import AttentionChoice
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer

Vector: TypeAlias = NDArray[np.float32]
Side: TypeAlias = str | tuple[str, ...]
"""A text, or several."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two texts, or each of some with each of others."""

    one: Side
    other: Side

    @property
    def texts(self) -> list[str]:
        """All of them, each once."""
        return [*dict.fromkeys((*_several(self.one), *_several(self.other)))]


@dataclass(frozen=True, kw_only=True)
class SentenceSimilarityOptions(TaskOptions):
    """Options of `SentenceSimilarity`."""

    source_sentence: Annotated[str | None, Help("the text with which texts that come alone are compared")] = None
    similarity_fn_name: Annotated[
        Literal["cosine", "dot", "euclidean", "manhattan"] | None,
        Help("how vectors are compared, higher for more alike (default: as the encoder's folder says, or cosine)"),
    ] = None
    pooling: Annotated[
        Literal["cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken"] | None,
        Help("how states become one vector, where the model's folder does not say it (default: mean)"),
    ] = None
    prompt: Annotated[str | None, Help("what is put before every text")] = None
    prompt_name: Annotated[str | None, Help("which of the folder's prompts that is (default: the folder's own)")] = None


class SentenceSimilarity(Task[SentenceSimilarityOptions, Compared, Vector]):
    """Pairs, or ``{"source_sentence": …, "sentences": […]}``, in; numbers out, higher for more alike.

    Each of the two may be a list of texts. A text and a text give a number, a text and a list a list of numbers, and
    two lists of N and M texts an array (N, M) float32.
    """

    name = "sentence-similarity"
    heads = ("backbone", "encoder-only")
    options_type = SentenceSimilarityOptions

    def __init__(self, model: "Model | TextEncoder", tokenizer: "Tokenizer", **options: object) -> None:
        from tfx_core.embedding import TextEncoder

        pooling = read_options(self.options_type(), options, self.name).pooling or "mean"
        self.encoder = model if isinstance(model, TextEncoder) else TextEncoder(model, tokenizer, pooling=pooling)
        super().__init__(self.encoder.model, tokenizer, **options)
        self.check_options(self.options)

    @classmethod
    def load(
        cls,
        model: "str | Path | Model | TextEncoder",
        *,
        tokenizer: "str | Path | Tokenizer | None" = None,
        device: "str | torch.device | None" = None,
        dtype: "str | torch.dtype | None" = None,
        attention: "AttentionChoice | None" = None,
        frozen: bool | None = None,
        revision: str | None = None,
        provider: str | None = None,
        model_kwargs: Mapping[str, Any] | None = None,
        **options: object,
    ) -> Self:
        """The task with an encoder, or with that of a folder or hub id as `tfx_core.load_encoder` reads it."""
        from tfx_core.checkpoint import taken_hub_options
        from tfx_core.embedding import TextEncoder, load_encoder

        given: dict[str, Any] = {
            "dtype": dtype, "attention": attention, "frozen": frozen, "revision": revision, "provider": provider
        }  # fmt: skip
        if not isinstance(model, str | Path):
            ready: Any = model  # moved and refused as a model is
            tokenizer = ready.tokenizer if isinstance(ready, TextEncoder) else tokenizer
            given = {**given, "tokenizer": tokenizer, "device": device, "model_kwargs": model_kwargs, **options}
            return super().load(ready, **given)
        pooling = read_options(cls.options_type(), options, cls.name).pooling
        kwargs = {**(model_kwargs or {})}
        given = {name: value for name, value in {**given, "device": device}.items() if value is not None}
        given = {**given, **taken_hub_options(kwargs), "tokenizer": tokenizer, "model_kwargs": kwargs}
        encoder = load_encoder(model, pooling=pooling, **given)
        return cls(encoder, encoder.tokenizer, **options)

    def __call__(
        self, inputs: object = None, other: object = None, *, progress: Progress | bool | None = None, **options: object
    ) -> Result:
        """As of every task; two arguments, each a text or a list of texts, are a pair."""
        return super().__call__(inputs if other is None else (inputs, other), progress=progress, **options)

    def save_pretrained(self, save_directory: "str | Path") -> None:
        """Write the encoder's folder."""
        self.encoder.save_pretrained(save_directory)

    def check_model(self, model: "Model") -> None:
        """Every head passes the states on."""

    def check_options(self, options: SentenceSimilarityOptions) -> None:
        """Refuse a prompt that the encoder lacks, and another pooling than its own."""
        self.encoder.windows((), options.prompt, options.prompt_name)
        if options.pooling is not None and self.encoder.pooling != (options.pooling,):
            raise InputError(
                f"pooling={options.pooling!r}: this encoder pools by {', '.join(self.encoder.pooling)}; make another "
                "pipeline for another pooling"
            )

    def parse(self, value: object, options: SentenceSimilarityOptions) -> Compared:
        """Two texts, or lists of texts; one alone is compared with the option's."""
        if isinstance(value, str):
            if options.source_sentence is None:
                raise InputError(
                    "a text alone needs the option source_sentence; or give a pair, or {'source_sentence': …, "
                    "'sentences': […]}"
                )
            value = (options.source_sentence, value)
        elif isinstance(value, Mapping):
            if value.keys() != {"source_sentence", "sentences"}:
                raise InputError(f"keys {sorted(map(str, value))}: a dict has 'source_sentence' and 'sentences'")
            value = (value["source_sentence"], value["sentences"])
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise InputError(f"two texts, or lists of texts, are needed to compare them, not {_what(value)}")
        return Compared(*map(_side, value))

    def encode(self, items: Sequence[Compared], options: SentenceSimilarityOptions) -> list[list[TextWindow]]:
        """One window for each text that there is."""
        texts = [text for item in items for text in item.texts]
        return in_groups(
            [len(item.texts) for item in items],
            lambda: self.encoder.windows(texts, options.prompt, options.prompt_name),
        )

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: SentenceSimilarityOptions
    ) -> Sequence[Vector]:
        """The vectors, (D,) each."""
        return self.encoder.vectors(batch, options.prompt, options.prompt_name)

    def decode(
        self,
        item: Compared,
        windows: Sequence[TextWindow],
        rows: Sequence[Vector],
        options: SentenceSimilarityOptions,
    ) -> Result:
        """How alike they are: a number, a list, or an array (N, M)."""
        from tfx_core.embedding.similarity import similarity

        vectors = dict(zip(item.texts, rows, strict=True))
        one, other = (np.stack([vectors[text] for text in _several(side)]) for side in (item.one, item.other))
        how = options.similarity_fn_name or self.encoder.similarity_fn_name
        found: Vector = similarity(one, other, how).numpy()
        if isinstance(item.one, str):
            found = found[0]
        if isinstance(item.other, str):
            found = found[..., 0]
        return found if found.ndim == 2 else found.tolist()


def _several(side: Side) -> tuple[str, ...]:
    return (side,) if isinstance(side, str) else side


def _side(value: object) -> Side:
    """A text, or a list of at least one; `InputError` for anything else."""
    if not isinstance(value, list | tuple):
        return check_text(value)
    if not value:
        raise InputError("a list of texts to compare is empty")
    return tuple(check_text(text) for text in value)


def _what(value: object) -> str:
    return f"{len(value)} of them" if isinstance(value, list | tuple) else type(value).__name__
