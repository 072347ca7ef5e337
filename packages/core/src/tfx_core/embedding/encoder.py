"""Texts to vectors: an encoder with its pooling, from a sentence-transformers folder or any other checkpoint."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeAlias, Unpack

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Folder, HubOptions, read_whole
from tfx_core.embedding.passage_index import Vectors
from tfx_core.embedding.pooling import POOLINGS, Pooling, pool, real_states
from tfx_core.embedding.precision import Precision, check_precision, quantized
from tfx_core.embedding.sentence_folder import Normalize, SentenceRecipe, read_sentence_folder
from tfx_core.embedding.sentence_saving import save_encoder
from tfx_core.embedding.similarity import checked_similarity, similarity, similarity_pairwise
from tfx_core.errors import InputError, shown
from tfx_core.fields import Size, checked
from tfx_core.habits import hint, no_attribute, understands
from tfx_core.model.attentions import AttentionChoice
from tfx_core.model.devices import device_of
from tfx_core.model.loading import load_model, load_tokenizer, read_config, stored_head
from tfx_core.model.model import Model
from tfx_core.tasks.base import Progress, Task
from tfx_core.tasks.options import TaskOptions
from tfx_core.tasks.windows import TextWindow, check_text, length_limit, tokenize
from tfx_core.text import Batch, Tokenizer

_log = logging.getLogger("tfx_core")
_tells_cut = ContextVar("tells_cut", default=True)

Output: TypeAlias = Literal["sentence_embedding", "token_embeddings"]


@dataclass(frozen=True, kw_only=True)
class _Options(TaskOptions):
    max_length: int | None = None
    normalize: bool | None = None
    prompt_tokens: int = 0
    truncate_dim: Size | None = None
    tokens: bool = False


class _Encode(Task[_Options, str, Vectors | Tensor]):
    """What an encoder does to a text, in the form that `Task` batches."""

    name = "encode"
    heads = ("backbone", "encoder-only")
    options_type = _Options

    def __init__(
        self, model: Model, tokenizer: Tokenizer, pooling: tuple[Pooling, ...], stages: Sequence[nn.Module]
    ) -> None:
        super().__init__(model, tokenizer)
        self.pooling = pooling
        self.stages = [stage.to(model.device).eval() for stage in stages]
        self._has_cut = False

    def check_model(self, model: Model) -> None:
        """Every head passes the states on."""

    def parse(self, value: object, options: _Options) -> str:
        return check_text(value)

    def encode(self, items: Sequence[str], options: _Options) -> list[list[TextWindow]]:
        windows = tokenize(self.model, self.tokenizer, items, truncation=True, max_length=options.max_length)
        if not self._has_cut and options.max_length is not None and _tells_cut.get():
            self._tell_cut(items, windows, options.max_length)
        return [[window] for window in windows]

    def compute(
        self, batch: Mapping[str, Tensor], windows: Sequence[TextWindow], options: _Options
    ) -> list[Vectors] | list[Tensor]:
        states, mask = self.states(batch, options)
        if options.tokens:
            return [own[real > 0].float().cpu() for own, real in zip(states, mask, strict=True)]
        return list(self.pooled(states, mask, options).cpu().numpy())

    def states(self, batch: Mapping[str, Tensor], options: _Options) -> tuple[Tensor, Tensor]:
        """States (B, S, D), and which of them are real, (B, S)."""
        output = self.model(**batch, return_dict=True)
        states, mask = output.last_hidden_state, real_states(output, batch["attention_mask"])
        if options.prompt_tokens and mask.shape != batch["attention_mask"].shape:
            raise InputError(
                "include_prompt=false: a state of this model stands for several tokens, so that none is the prompt's "
                "alone; set include_prompt to true in 1_Pooling/config.json, or leave the prompt out"
            )
        return states, mask

    def pooled(self, states: Tensor, mask: Tensor, options: _Options) -> Tensor:
        """The vectors (B, D) of such states."""
        x = torch.cat([pool(states, mask, how, skip=options.prompt_tokens) for how in self.pooling], dim=-1)
        for stage in self._stages(options.normalize):
            x = stage(x)
        x = x[:, : options.truncate_dim]
        return F.normalize(x, dim=-1) if options.normalize else x

    def decode(
        self, item: str, windows: Sequence[TextWindow], rows: Sequence[Vectors | Tensor], options: _Options
    ) -> Vectors | Tensor:
        return rows[0]

    def _tell_cut(self, texts: Sequence[str], windows: Sequence[TextWindow], limit: int) -> None:
        """A warning, once, where a text has more tokens than those that are read."""
        full = (text for text, window in zip(texts, windows, strict=True) if len(window) >= limit)
        length = next((length for text in full if (length := len(self.tokenizer(text)["input_ids"])) > limit), None)
        if length is not None:
            self._has_cut = True
            _log.warning("a text of %d tokens, and others like it, are cut to %d: max_length", length, limit)

    def _stages(self, normalize: bool | None) -> list[nn.Module]:
        """What follows the pooling, without a scaling at its end where ``normalize=False`` leaves it out."""
        stages = list(self.stages)
        while normalize is False and stages and isinstance(stages[-1], Normalize):
            stages.pop()
        return stages


class TextEncoder:
    """Turns texts into vectors; made by `load_encoder`.

    Texts are cut to ``max_length`` tokens, as encoders of sentences are used; the first that is cut is a warning. One
    encoder serves many threads. ``truncate_dim`` is how many numbers of a vector are kept, ``similarity_fn_name`` how
    `similarity` compares.
    """

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        *,
        pooling: Pooling | Sequence[Pooling] = "mean",
        pool_prompt: bool = True,
        stages: Sequence[nn.Module] = (),
        max_length: int | None = None,
        lower_case: bool = False,
        prompts: Mapping[str, str] | None = None,
        default_prompt: str | None = None,
        name: str | None = None,
        truncate_dim: int | None = None,
        similarity_fn_name: str = "cosine",
    ) -> None:
        modes = (pooling,) if isinstance(pooling, str) else tuple(pooling)
        for mode in modes:
            if mode not in POOLINGS:
                raise InputError(f"pooling={mode!r}: must be one of {', '.join(POOLINGS)}")
        limits = (max_length or length_limit(model, tokenizer), model.max_positions)
        self.max_length = min((limit for limit in limits if limit is not None), default=None)
        """Tokens to which texts are cut; None when nothing limits them."""
        self.prompts = dict(prompts or {})
        self.default_prompt = default_prompt
        self.lower_case = lower_case
        self.name = name
        """The folder or hub id that it came from, for messages and records; None for one made in memory."""
        self.truncate_dim = truncate_dim
        self.similarity_fn_name = similarity_fn_name
        self._pool_prompt = pool_prompt
        self._task = _Encode(model, tokenizer, modes, stages)

    @property
    def model(self) -> Model:
        """The encoder without what follows it."""
        return self._task.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the encoder."""
        return self._task.tokenizer

    @property
    def pooling(self) -> tuple[Pooling, ...]:
        """How the states of tokens become one vector; several are joined into one longer vector."""
        return self._task.pooling

    @property
    def stages(self) -> Sequence[nn.Module]:
        """What follows the pooling, in order."""
        return self._task.stages

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.model.device

    def to(self, *where: Any, **named: Any) -> Self:
        """Itself, on a device; a ``torch.dtype`` becomes that of its model."""
        self.model.to(*where, **named)
        for stage in self.stages:
            stage.to(self.device)
        return self

    @property
    def max_seq_length(self) -> int | None:
        """``max_length``, that may be set to what the model takes."""
        return self.max_length

    @max_seq_length.setter
    def max_seq_length(self, length: int) -> None:
        size = checked(length, Size, "max_seq_length", InputError)
        self.max_length = length_limit(self.model, self.tokenizer, size, "max_seq_length")

    def get_max_seq_length(self) -> int | None:
        """``max_length``."""
        return self.max_length

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        return min(self._width, self.truncate_dim or self._width)

    def get_sentence_embedding_dimension(self) -> int:
        """``dimension``."""
        return self.dimension

    get_embedding_dimension = get_sentence_embedding_dimension

    @cached_property
    def _width(self) -> int:
        (vector,) = self._task.stream(["a"], max_length=self.max_length)
        return len(vector)

    @property
    def similarity_fn_name(self) -> str:
        """How vectors are compared: ``"cosine"``, ``"dot"``, ``"euclidean"`` or ``"manhattan"``; may be set."""
        return self._similarity

    @similarity_fn_name.setter
    def similarity_fn_name(self, how: str) -> None:
        self._similarity = checked_similarity(how)

    def similarity(self, a: Any, b: Any) -> Tensor:
        """How alike each vector of ``a``, (N, D), and each of ``b``, (M, D), are: (N, M), higher for more alike."""
        return similarity(a, b, self.similarity_fn_name)

    def similarity_pairwise(self, a: Any, b: Any) -> Tensor:
        """How alike each vector of ``a``, (N, D), and the one of ``b`` in its place are: (N,)."""
        return similarity_pairwise(a, b, self.similarity_fn_name)

    def tokenize(self, texts: Sequence[str], *, prompt: str | None = None, prompt_name: str | None = None) -> Batch:
        """The input of the model for texts as `encode` reads them, padded."""
        prefix = self._prompt(prompt, prompt_name)
        cased = [self.cased(prefix + check_text(text)) for text in texts]
        cut = self.max_length is not None
        return self.tokenizer(cased, padding=True, truncation=cut, max_length=self.max_length, return_tensors="pt")

    def embed(
        self, batch: Mapping[str, Tensor], *, prompt: str | None = None, prompt_name: str | None = None
    ) -> Tensor:
        """The vectors (B, D) of what `tokenize` gave with the same prompt; in training, gradients come with them."""
        options = self._options(prompt, prompt_name)
        return self._task.pooled(*self._task.states(batch, options), options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder that `load_encoder` and sentence-transformers read; an interrupted save leaves the old files.

        Raises `CheckpointError` where it cannot be written, and `InputError` for a step that such folders do not have.
        """
        save_encoder(folder, self, self.stages, self._pool_prompt)

    save = save_pretrained

    def __getitem__(self, number: int) -> NoReturn:
        raise TypeError(f"an encoder has no {shown(number)}: {hint('encoder', 'encoder[0]')}")

    if not TYPE_CHECKING:  # a type checker would let every misspelled name pass

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(no_attribute("encoder", name, dir(type(self)), type(self).__name__))

    @understands("encode")
    def encode(
        self,
        texts: str | Iterable[str],
        *,
        prompt: str | None = None,
        prompt_name: str | None = None,
        normalize: bool | None = None,
        truncate_dim: int | None = None,
        precision: Precision = "float32",
        output_value: Output = "sentence_embedding",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: str | int | torch.device | None = None,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        progress: Progress | bool | None = None,
    ) -> Vectors | Any:
        """One vector for each text, (N, D) float32; of a single text its vector, (D,).

        ``prompt``, or the folder's prompt of a name, is put before every text; by default the folder's default prompt
        if it has one. ``normalize`` scales vectors to length 1, or leaves out the folder's own scaling at the end; by
        default the folder decides. ``truncate_dim`` keeps the first numbers of a vector, before it is scaled;
        ``precision`` is as `tfx_core.embedding.precision.quantized` says. ``output_value="token_embeddings"`` gives
        the states of a text's tokens (S, D) instead, each text's in a tensor of its own.

        ``convert_to_tensor`` gives a tensor on the encoder's device, ``convert_to_numpy=False`` a list of tensors.
        ``device`` moves the encoder there first. A forward pass holds at most ``batch_tokens`` tokens and
        ``batch_size`` texts. ``progress`` is called with the number of texts
        done since its last call; ``True`` shows a bar. Keywords of sentence-transformers are understood as
        `tfx_core.habits` says. Raises `InputError` for what is no text and for an unknown prompt.
        """
        check_precision(precision)
        checked(output_value, Output, "output_value", InputError)
        items = _texts(texts)
        if device is not None:
            self.to(device_of(device))
        options = {
            "batch_tokens": batch_tokens,
            "batch_size": batch_size,
            "normalize": normalize,
            "truncate_dim": self.truncate_dim if truncate_dim is None else truncate_dim,
        }
        prefix = self._prompt(prompt, prompt_name)
        with _shown_progress(progress, len(items)) as advance:
            if output_value == "token_embeddings":
                found: Any = [*self._stream(items, prefix, advance, tokens=True, **options)]
            else:
                vectors = quantized(self._vectors(items, prefix, advance, options), precision)
                found = self._converted(vectors, convert_to_numpy, convert_to_tensor)
        return found[0] if isinstance(texts, str) else found

    def encode_query(self, texts: str | Iterable[str], **options: Any) -> Vectors | Any:
        """As `encode`, with the folder's prompt for what is searched for, if it has one, unless one is given."""
        return self.encode(texts, **self._prompted(options, self.query_prompt))

    @property
    def query_prompt(self) -> str | None:
        """Name of the folder's prompt for what is searched for, if it has one."""
        return self._first_prompt("query")

    @property
    def document_prompt(self) -> str | None:
        """Name of the folder's prompt for what is searched in, if it has one."""
        return self._first_prompt("document", "passage", "corpus")

    def encode_document(self, texts: str | Iterable[str], **options: Any) -> Vectors | Any:
        """As `encode`, with the folder's prompt for what is searched in, if it has one, unless one is given."""
        return self.encode(texts, **self._prompted(options, self.document_prompt))

    def windows(self, texts: Sequence[str], prompt: str | None, prompt_name: str | None) -> list[TextWindow]:
        """The row of model input of each text, for a task that pads them into batches and gives these to `vectors`."""
        prefix = self._prompt(prompt, prompt_name)
        items = [self.cased(prefix + text) for text in texts]
        return [window for (window,) in self._task.encode(items, _Options(max_length=self.max_length))]

    def vectors(self, batch: Mapping[str, Tensor], prompt: str | None, prompt_name: str | None) -> Sequence[Any]:
        """The vectors (D,) of a batch of such rows, (B, S) each."""
        return self._task.compute(batch, (), self._options(prompt, prompt_name))

    def _options(self, prompt: str | None, prompt_name: str | None) -> _Options:
        tokens = self._prompt_tokens(self._prompt(prompt, prompt_name))
        return _Options(prompt_tokens=tokens, truncate_dim=self.truncate_dim)

    def _stream(self, texts: Sequence[str], prefix: str, progress: Progress | None, **options: Any) -> Iterator[Any]:
        return self._task.stream(
            (self.cased(prefix + text) for text in texts),
            progress=progress,
            max_length=self.max_length,
            prompt_tokens=self._prompt_tokens(prefix),
            **options,
        )

    def _vectors(
        self, texts: Sequence[str], prefix: str, progress: Progress | None, options: Mapping[str, Any]
    ) -> Vectors:
        vectors = self._stream(texts, prefix, progress, **options)
        first = next(vectors, None)
        if first is None:
            return np.empty((0, self.dimension), np.float32)
        encoded = np.empty((len(texts), len(first)), np.float32)
        encoded[0] = first
        for row, vector in zip(encoded[1:], vectors, strict=True):
            row[:] = vector
        return encoded

    def _converted(self, vectors: Any, to_numpy: bool, to_tensor: bool) -> Any:
        if to_tensor:
            return torch.from_numpy(vectors).to(self.device)
        return vectors if to_numpy else [*torch.from_numpy(vectors).to(self.device)]

    def _first_prompt(self, *names: str) -> str | None:
        return next((name for name in names if name in self.prompts), None)

    def _prompted(self, options: Mapping[str, Any], known: str | None) -> Mapping[str, Any]:
        """The options, with the prompt of this name where they name none."""
        given = options.get("prompt") is not None or options.get("prompt_name") is not None
        return options if given or known is None else {**options, "prompt_name": known}

    def _prompt(self, prompt: str | None, name: str | None) -> str:
        if prompt is not None:
            if name is not None:
                raise InputError(f"prompt={prompt!r} and prompt_name={name!r}: give one of them")
            return prompt
        name = self.default_prompt if name is None else name
        if name is None:
            return ""
        if name not in self.prompts:
            raise InputError(
                f"prompt_name={name!r}: the encoder has {', '.join(map(repr, self.prompts)) or 'no prompts'}"
            )
        return self.prompts[name]

    def _prompt_tokens(self, prompt: str) -> int:
        """Tokens at the start of a text that pooling leaves out."""
        if self._pool_prompt or not prompt:
            return 0
        batch = self.tokenizer(self.cased(prompt), return_special_tokens_mask=True)
        # the token that ends a text stands behind the text and not behind the prompt
        return len(batch["input_ids"]) - int(batch["special_tokens_mask"][-1])

    def cased(self, text: str) -> str:
        """The text as the tokenizer gets it."""
        return text.lower() if self.lower_case else text


def _texts(texts: object) -> list[str]:
    """The texts, checked, of one or of several."""
    if isinstance(texts, str):
        return [check_text(texts)]
    if isinstance(texts, Mapping) or not isinstance(texts, Iterable):
        raise InputError(f"encode takes a text or a list of texts, not {type(texts).__name__}")
    found = list(texts)
    if any(isinstance(text, list | tuple) for text in found):
        raise InputError(f"a text is not a pair: {hint('encode', 'encode([(a, b)])')}")
    return [check_text(text, f"texts[{index}]") for index, text in enumerate(found)]


@contextmanager
def cut_untold() -> Iterator[None]:
    """Let encoders cut texts without the warning, which is left for the next: of texts that are nobody's own."""
    token = _tells_cut.set(False)
    try:
        yield
    finally:
        _tells_cut.reset(token)


@contextmanager
def _shown_progress(progress: Progress | bool | None, total: int) -> Iterator[Progress | None]:
    """What is called with the number of texts done: a bar on a terminal for ``True``."""
    if progress is not True:
        yield progress or None
        return
    from tfx_core.cli.progress import ProgressBar

    with ProgressBar("encode", total) as bar:
        yield bar.advance


@understands("load_encoder")
def load_encoder(
    path: str | Path,
    *,
    tokenizer: str | Path | Tokenizer | None = None,
    pooling: Pooling | Sequence[Pooling] | None = None,
    max_length: int | None = None,
    prompts: Mapping[str, str] | None = None,
    default_prompt_name: str | None = None,
    truncate_dim: int | None = None,
    similarity_fn_name: str | None = None,
    dtype: str | torch.dtype = "float32",
    device: str | int | torch.device = "cpu",
    attention: AttentionChoice = "sdpa",
    frozen: bool | None = None,
    provider: str | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    tokenizer_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[HubOptions],
) -> TextEncoder:
    """The text encoder of a folder or hub id.

    A sentence-transformers folder says how it pools and how long its texts are; for any other checkpoint ``pooling``
    does, by default the mean, which a warning says. ``max_length``, ``default_prompt_name`` and ``similarity_fn_name``
    go over what the folder says, ``prompts`` are added to its own, and a ``tokenizer``, or where one is, stands in for
    its own. ``truncate_dim`` is as for `TextEncoder`; ``model_kwargs`` are of `load_model`, ``tokenizer_kwargs`` of
    `load_tokenizer`. ``frozen``, ``provider`` and what is raised are as for `load_model`.
    """

    def read(folder: Folder) -> tuple[str, SentenceRecipe, Model, Tokenizer]:
        recipe = _recipe(folder, pooling)
        model = load_model(
            recipe.transformer,
            **{
                "head": _head(recipe.transformer, provider),
                "reads": "token-states",
                "dtype": dtype,
                "device": device,
                "attention": attention,
                "frozen": frozen,
                "provider": provider,
                **(model_kwargs or {}),
            },
        )
        recipe.check_widths(model.backbone.width)
        source = recipe.transformer if tokenizer is None else tokenizer
        if isinstance(source, Tokenizer):
            return folder.label, recipe, model, source
        return folder.label, recipe, model, load_tokenizer(source, provider=provider, **(tokenizer_kwargs or {}))

    device = device_of(device)
    label, recipe, model, loaded_tokenizer = read_whole(path, read, **options)
    known = {**recipe.prompts, **(prompts or {})}
    if default_prompt_name is not None and default_prompt_name not in known:
        has = ", ".join(map(repr, known)) or "no prompts"
        raise InputError(f"default_prompt_name={default_prompt_name!r}: the encoder has {has}")
    return TextEncoder(
        model,
        loaded_tokenizer,
        pooling=recipe.pooling if pooling is None else pooling,
        pool_prompt=recipe.pool_prompt,
        stages=[stage.module for stage in recipe.stages],
        max_length=recipe.max_length if max_length is None else max_length,
        lower_case=recipe.lower_case,
        prompts=known,
        default_prompt=default_prompt_name or recipe.default_prompt,
        name=label,
        truncate_dim=truncate_dim,
        similarity_fn_name=similarity_fn_name or recipe.similarity,
    )


def _recipe(folder: Folder, pooling: Pooling | Sequence[Pooling] | None) -> SentenceRecipe:
    if folder.path("modules.json") is None:
        if pooling is None:
            _log.warning("%s: has no modules.json, so texts are pooled by the mean; pooling= says how", folder.label)
        return SentenceRecipe(folder)
    if pooling is not None:
        said = f"{folder.label}/modules.json says how this encoder pools"
        raise InputError(f"pooling={pooling!r}: {said}; leave it out")
    return read_sentence_folder(folder)


def _head(folder: Folder, provider: str | None) -> str:
    """The backbone; the encoder alone of a model that also has a decoder for another text, or where that is stored."""
    architecture, config = read_config(folder, provider)
    alone = config.is_encoder_decoder or stored_head(architecture, config, folder, "backbone") == "encoder-only"
    return "encoder-only" if alone and "encoder-only" in architecture.heads else "backbone"
