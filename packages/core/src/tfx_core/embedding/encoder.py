"""Texts to vectors: an encoder with its pooling, from a sentence-transformers folder or any other checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Folder, read_whole
from tfx_core.embedding.passage_index import Vectors
from tfx_core.embedding.pooling import POOLINGS, Pooling, pool
from tfx_core.embedding.sentence_folder import Normalize, SentenceRecipe, read_sentence_folder
from tfx_core.errors import InputError
from tfx_core.model.devices import device_of
from tfx_core.model.loading import load_model, load_tokenizer, read_config
from tfx_core.model.model import Model
from tfx_core.nn import AttentionKernel
from tfx_core.tasks.base import Progress, Task
from tfx_core.tasks.options import TaskOptions
from tfx_core.tasks.windows import TextWindow, check_text, length_limit, tokenize
from tfx_core.text import Tokenizer


@dataclass(frozen=True, kw_only=True)
class _Options(TaskOptions):
    max_length: int | None = None
    normalize: bool | None = None
    prompt_tokens: int = 0


class _Encode(Task[_Options, str, Vectors]):
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

    def check_model(self, model: Model) -> None:
        """Every head passes the states on."""

    def parse(self, value: object, options: _Options) -> str:
        return check_text(value)

    def encode(self, items: Sequence[str], options: _Options) -> list[list[TextWindow]]:
        windows = tokenize(self.model, self.tokenizer, items, truncation=True, max_length=options.max_length)
        return [[window] for window in windows]

    def compute(self, batch: Mapping[str, Tensor], windows: Sequence[TextWindow], options: _Options) -> list[Vectors]:
        states, mask = self.model(**batch, return_dict=True).last_hidden_state, batch["attention_mask"]
        x = torch.cat([pool(states, mask, how, skip=options.prompt_tokens) for how in self.pooling], dim=-1)
        for stage in self._stages(options.normalize):
            x = stage(x)
        return list((F.normalize(x, dim=-1) if options.normalize else x).cpu().numpy())

    def decode(self, item: str, windows: Sequence[TextWindow], rows: Sequence[Vectors], options: _Options) -> Vectors:
        return rows[0]

    def _stages(self, normalize: bool | None) -> list[nn.Module]:
        """What follows the pooling, without a scaling at its end where ``normalize=False`` leaves it out."""
        stages = list(self.stages)
        while normalize is False and stages and isinstance(stages[-1], Normalize):
            stages.pop()
        return stages


class TextEncoder:
    """Turns texts into vectors; made by `load_encoder`.

    Texts are cut to ``max_length`` tokens, as encoders of sentences are used. One encoder serves many threads.
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

    @cached_property
    def dimension(self) -> int:
        """Length D of the vectors."""
        return int(self.encode(["a"]).shape[1])

    def encode(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        prompt_name: str | None = None,
        normalize: bool | None = None,
        batch_tokens: int | None = None,
        progress: Progress | None = None,
    ) -> Vectors:
        """One vector for each text, (N, D) float32.

        ``prompt``, or the folder's prompt of a name, is put before every text; by default the folder's default prompt
        if it has one. ``normalize`` scales vectors to length 1, or leaves out the folder's own scaling at the end; by
        default the folder decides. ``progress`` is called with the number of texts done since its last call. Raises
        `InputError` for what is no text and for an unknown prompt.
        """
        if isinstance(texts, str):
            raise InputError("encode takes a list of texts, and this is a single one")
        prefix = self._prompt(prompt, prompt_name)
        vectors = self._task.stream(
            (self.cased(prefix + check_text(text, f"texts[{index}]")) for index, text in enumerate(texts)),
            progress=progress,
            batch_tokens=batch_tokens,
            max_length=self.max_length,
            normalize=normalize,
            prompt_tokens=self._prompt_tokens(prefix),
        )
        first = next(vectors, None)
        if first is None:
            return np.empty((0, self.dimension), np.float32)
        encoded = np.empty((len(texts), len(first)), np.float32)
        encoded[0] = first
        for row, vector in zip(encoded[1:], vectors, strict=True):
            row[:] = vector
        return encoded

    def encode_query(
        self,
        texts: Sequence[str],
        *,
        normalize: bool | None = None,
        batch_tokens: int | None = None,
        progress: Progress | None = None,
    ) -> Vectors:
        """As `encode`, with the folder's prompt for what is searched for, if it has one."""
        name = self._known_prompt("query")
        return self.encode(texts, prompt_name=name, normalize=normalize, batch_tokens=batch_tokens, progress=progress)

    def encode_document(
        self,
        texts: Sequence[str],
        *,
        normalize: bool | None = None,
        batch_tokens: int | None = None,
        progress: Progress | None = None,
    ) -> Vectors:
        """As `encode`, with the folder's prompt for what is searched in, if it has one."""
        name = self._known_prompt("document", "passage", "corpus")
        return self.encode(texts, prompt_name=name, normalize=normalize, batch_tokens=batch_tokens, progress=progress)

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

    def _known_prompt(self, *names: str) -> str | None:
        return next((name for name in names if name in self.prompts), None)

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


def load_encoder(
    path: str | Path,
    *,
    pooling: Pooling | Sequence[Pooling] | None = None,
    max_length: int | None = None,
    dtype: str | torch.dtype = "float32",
    device: str | torch.device = "cpu",
    attention: str | AttentionKernel = "sdpa",
    revision: str | None = None,
    provider: str | None = None,
) -> TextEncoder:
    """The text encoder of a folder or hub id.

    A sentence-transformers folder says how it pools and how long its texts are; for any other checkpoint ``pooling``
    does, by default the mean. ``max_length`` goes over what the folder says; ``provider``, and what is raised, is as
    for `load_model`.
    """

    def read(folder: Folder) -> tuple[str, SentenceRecipe, Model, Tokenizer]:
        if folder.path("modules.json") is None:
            recipe = SentenceRecipe(folder)
        elif pooling is None:
            recipe = read_sentence_folder(folder)
        else:
            said = f"{folder.label}/modules.json says how this encoder pools"
            raise InputError(f"pooling={pooling!r}: {said}; leave it out")
        model = load_model(
            recipe.transformer,
            head=_head(recipe.transformer, provider),
            reads="token-states",
            dtype=dtype,
            device=device,
            attention=attention,
            provider=provider,
        )
        recipe.check_widths(model.backbone.width)
        return folder.label, recipe, model, load_tokenizer(recipe.transformer, provider=provider)

    device = device_of(device)
    label, recipe, model, tokenizer = read_whole(path, read, revision=revision)
    return TextEncoder(
        model,
        tokenizer,
        pooling=recipe.pooling if pooling is None else pooling,
        pool_prompt=recipe.pool_prompt,
        stages=[stage.module for stage in recipe.stages],
        max_length=recipe.max_length if max_length is None else max_length,
        lower_case=recipe.lower_case,
        prompts=recipe.prompts,
        default_prompt=recipe.default_prompt,
        name=label,
    )


def _head(folder: Folder, provider: str | None) -> str:
    """The backbone; the encoder alone of a model that also has a decoder."""
    architecture, _ = read_config(folder, provider)
    return "encoder-only" if "encoder-only" in architecture.heads else "backbone"
