"""The base of every task: inputs in, plain results out, batched by length in between."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from tfx_core.errors import InputError, TextError
from tfx_core.habits import no_attribute, translated
from tfx_core.plugins import HeadSpec, registry
from tfx_core.tasks.batching import chunks, token_batches
from tfx_core.tasks.options import TaskOptions, read_options
from tfx_core.tasks.sources import is_lazy, items, size
from tfx_core.tasks.vocabularies import check_vocabulary
from tfx_core.tasks.windows import ItemError, TextWindow

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from tfx_core.checkpoint import Folder
    from tfx_core.model.attentions import AttentionChoice
    from tfx_core.model.model import Model
    from tfx_core.text import Tokenizer

OptionsT = TypeVar("OptionsT", bound=TaskOptions)
ItemT = TypeVar("ItemT")
RowT = TypeVar("RowT")

Result: TypeAlias = Any
"""Dicts, lists, strings and numbers (arrays where a task says so), in a form that depends on the task's options."""

Progress: TypeAlias = Callable[[int], object]
"""Called with the number of inputs that were finished since its last call."""


class Task(ABC, Generic[OptionsT, ItemT, RowT]):
    """A model, its tokenizer and what to do with them.

    A subclass says what an input is (`parse`), how it becomes rows of model input (`encode`), what to keep of a batch
    of model output (`compute`) and how one input's rows become its result (`decode`). The base sorts the rows of many
    inputs by length, runs them in batches under a token budget and gives the results back in the order of the inputs.

    ``ItemT`` is a parsed input, ``RowT`` what is kept of one row. A task holds no state of a call, so that threads can
    share it.
    """

    name: ClassVar[str]
    heads: ClassVar[tuple[str, ...]]
    """Heads that can serve the task, the preferred one first."""
    reads: ClassVar[str | None] = None
    """The only capability of a bare backbone that the task reads, as `tfx_core.load_model` takes it."""
    options_type: type[OptionsT]
    files: ClassVar[tuple[str, ...]] = ()
    """Keys of an input whose texts are paths: those in a file of inputs are relative to it."""
    listed: ClassVar[bool] = False
    """Whether a text alone gives a list of its one result, as in the reference library; in a list it never does."""

    def __init__(self, model: "Model", tokenizer: "Tokenizer", **options: object) -> None:
        self.check_model(model)
        check_vocabulary(model, tokenizer)
        self.model = model.eval()  # dropout would make results random
        self.tokenizer = tokenizer
        self.options = read_options(self.options_type(), options, self.name)

    @classmethod
    def load(
        cls,
        model: "str | Path | Model",
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
        """The task with the model of a folder or hub id, and the tokenizer that comes with it.

        The model is loaded with a head that serves the task; `InputError` when the checkpoint has none.
        ``model_kwargs`` are further keywords of `tfx_core.load_model`. A model that was loaded before needs its
        tokenizer, is moved to a ``device``, and else is what it was loaded as.
        """
        from tfx_core.checkpoint import read_whole, taken_hub_options
        from tfx_core.model.devices import device_of
        from tfx_core.model.loading import load_model, load_tokenizer

        read_options(cls.options_type(), options, cls.name)  # a mistake in them shows before a long load
        given: dict[str, Any] = {
            "dtype": dtype, "attention": attention, "frozen": frozen, "revision": revision, "provider": provider
        }  # fmt: skip
        given = {name: value for name, value in given.items() if value is not None} | {**(model_kwargs or {})}
        place: dict[str, Any] = {} if device is None else {"device": device_of(device)}
        if isinstance(model, str | Path):
            given = translated("load_model", given)
            hub = taken_hub_options(given)
            if given.keys() & place.keys():
                raise TypeError(f"{cls.name}: device and device_map are the same; give one of them")

            def read(folder: "Folder") -> "tuple[Model, str | Path | Tokenizer]":
                head = given["head"] if "head" in given else cls.head_for(folder, provider)
                loaded = load_model(folder, reads=cls.reads, **{**given, **place, "head": head})
                return loaded, cls.tokenizer_of(folder, provider) if tokenizer is None else tokenizer

            loaded, tokenizer = read_whole(model, read, **hub)
        elif given:
            raise InputError(f"{', '.join(given)}: for a model that is loaded by name; this one is loaded already")
        elif tokenizer is None:
            raise InputError(f"{cls.name}: a model that is loaded already needs its tokenizer beside it")
        else:
            loaded = model.to(**place) if place else model
        if isinstance(tokenizer, str | Path):
            tokenizer = load_tokenizer(tokenizer)
        return cls(loaded, tokenizer, **options)

    @classmethod
    def head_for(cls, folder: "Folder", provider: str | None = None) -> str:
        """The head with which to load a checkpoint; `InputError` when it has none that serves the task."""
        from tfx_core.model.loading import read_config, stored_head

        stored = stored_head(*read_config(folder, provider), folder)
        if stored is not None and cls.is_served_by(stored):
            return stored
        if "backbone" in cls.heads:
            return "backbone"  # part of every checkpoint
        needed = " or ".join(repr(head) for head in cls.heads)
        raise InputError(
            f"{folder.label}: holds a model with the head {stored or 'backbone'!r}; {cls.name} needs one that was "
            f"trained with {needed}"
        )

    @classmethod
    def tokenizer_of(cls, folder: "Folder", provider: str | None = None) -> "Tokenizer":
        """The tokenizer that comes with a checkpoint."""
        from tfx_core.model.loading import load_tokenizer

        return load_tokenizer(folder, provider=provider)

    @classmethod
    def is_served_by(cls, head: str) -> bool:
        """Whether a model with this head can serve the task: with one of `heads`, or a third party's in its place."""
        return serves(head, cls.heads)

    def __call__(self, inputs: object = None, *, progress: Progress | bool | None = None, **options: object) -> Result:
        """The results of a list (or other collection) of inputs, in their order; for a single input its result.

        Where `listed` says so, that of a single text is a list of its one result. What comes one by one, an iterator or
        a data set, gives an iterator of results. ``progress=True`` shows a bar on a terminal. ``options`` are the
        task's own (`options_type`), for this call only. Raises `TypeError` for an option that the task lacks and
        `InputError` for an input or a value that it cannot use.
        """
        if self.is_single(inputs):
            result = next(self.stream([inputs], progress=progress, **options))
            return result if isinstance(inputs, Mapping | tuple) else self.alone(result, options)
        results = self.stream(inputs, progress=progress, **options)
        return results if is_lazy(inputs) else list(results)

    def stream(self, inputs: Any, *, progress: Progress | bool | None = None, **options: object) -> Iterator[Result]:
        """The same results one by one, reading ``inputs`` no further ahead than sorting by length needs."""
        settings = read_options(self.options, options, self.name)
        self.check_options(settings)
        settings, source = self.settled(settings), items(inputs)
        if source is None:
            raise InputError(f"{self.name} takes a list of inputs, not {type(inputs).__name__}")
        if progress is True:
            return self._with_bar(source, settings, size(inputs))
        return self._stream(source, settings, progress or None)

    # what pipelines of transformers have as well

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.name

    @property
    def device(self) -> "torch.device":
        """Where the model is."""
        return self.model.device

    @property
    def dtype(self) -> "torch.dtype":
        """The model's number type."""
        return self.model.dtype

    def predict(self, inputs: object, **options: Any) -> Result:
        """What calling the task gives."""
        return self(inputs, **options)

    def save_pretrained(self, save_directory: "str | Path") -> None:
        """Write model and tokenizer into one folder."""
        self.model.save_pretrained(save_directory)
        self.tokenizer.save_pretrained(save_directory)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pickle and copy ask before there is anything to find
            raise AttributeError(name)
        raise AttributeError(no_attribute("pipeline", name, {*dir(type(self)), *vars(self)}, "a pipeline"))

    # what a subclass says

    def is_single(self, inputs: object) -> bool:
        """Whether this is one input, and not several."""
        return isinstance(inputs, str | Mapping | tuple)

    def alone(self, result: Result, options: Mapping[str, object]) -> Result:
        """What a single text gives whose result in a list is this one, in a call with these options."""
        return [result] if self.listed and not isinstance(result, list) else result

    @abstractmethod
    def parse(self, value: object, options: OptionsT) -> ItemT:
        """One input, checked; raises `InputError` that says what is wrong with it."""

    @abstractmethod
    def encode(self, items: Sequence[ItemT], options: OptionsT) -> Sequence[Sequence[TextWindow]]:
        """The rows of model input of each item, none for one that is answered without the model.

        Raises `ItemError` with the position in ``items``.
        """

    @abstractmethod
    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: OptionsT
    ) -> Sequence[RowT]:
        """Run the model on ``windows``, padded into ``batch``; keep of each row only what `decode` needs."""

    @abstractmethod
    def decode(self, item: ItemT, windows: Sequence[TextWindow], rows: Sequence[RowT], options: OptionsT) -> Result:
        """The result of one item from its windows and what was kept of each."""

    def check_model(self, model: "Model") -> None:
        """Raise `InputError` for a model that cannot serve the task."""
        if not self.is_served_by(model.head_name):
            needed = " or ".join(repr(head) for head in self.heads)
            raise InputError(f"{self.name} needs a model with the head {needed}; this one has {model.head_name!r}")

    def check_options(self, options: OptionsT) -> None:
        """Raise `InputError` for options that contradict each other or the model; called before anything runs."""

    def check_texts(self, options: OptionsT) -> None:
        """Raise `InputError` where a text alone is no input by these options; who reads lines asks it once for all."""

    def settled(self, options: OptionsT) -> OptionsT:
        """The options with what is worked out once for a whole call; raises `InputError` as `check_options` does."""
        return options

    def collate(self, windows: Sequence[TextWindow]) -> "Mapping[str, Tensor]":
        """The windows as one padded batch on the model's device, each feature (B, S) int64."""
        import torch

        padding = {"input_ids": self.tokenizer.pad_token_id or 0, "token_type_ids": self.tokenizer.pad_token_type_id}
        length = max(len(window) for window in windows)
        batch = {}
        for name in windows[0].features:
            values = torch.full((len(windows), length), padding.get(name, 0))
            for row, window in zip(values, windows, strict=True):
                row[self.place(window, length)] = torch.tensor(window.features[name])
            batch[name] = values.to(self.model.device)
        return batch

    def place(self, window: TextWindow, length: int) -> slice:
        """Where the tokens of ``window`` stand in a row of a batch of this length."""
        if self.tokenizer.padding_side == "right":
            return slice(0, len(window))
        return slice(length - len(window), length)

    def token_budget(self, options: OptionsT) -> int:
        """Tokens of one forward pass, padding included."""
        return tokens_of_pass(self.model, options.batch_tokens)

    def rows_of(self, value: object, options: OptionsT) -> int:
        """In about how many rows of its length an input is read, which is not checked yet."""
        return 1

    def row_tokens(self, windows: Sequence[TextWindow], options: OptionsT) -> Sequence[int]:
        """How many tokens of the budget each row takes: its length, and more where a task does more with it."""
        return [len(window) for window in windows]

    def batches(self, windows: Sequence[TextWindow], options: OptionsT) -> Iterator[list[int]]:
        """The rows of each forward pass, by their numbers, the longest first."""
        return token_batches(self.row_tokens(windows, options), self.token_budget(options), options.batch_size)

    # how it runs

    def _with_bar(self, inputs: Iterable[object], options: OptionsT, total: int | None) -> Iterator[Result]:
        from tfx_core.cli import ProgressBar

        with ProgressBar(self.name, total) as bar:
            yield from self._stream(inputs, options, bar.advance)

    def _stream(self, inputs: Iterable[object], options: OptionsT, progress: Progress | None) -> Iterator[Result]:
        first = 0
        for chunk in chunks(inputs, lambda value: self.rows_of(value, options)):
            try:
                results = self._run(chunk, options, progress)
            except ItemError as error:
                raise ItemError(first + error.index, error.reason) from None
            yield from results
            first += len(chunk)

    def _run(self, values: Sequence[object], options: OptionsT, progress: Progress | None) -> list[Result]:
        """The results of inputs that are tokenized and sorted together."""
        import torch

        items = [self._parse(index, value, options) for index, value in enumerate(values)]
        windows = self.encode(items, options)
        places = [(index, number) for index, own in enumerate(windows) for number in range(len(own))]
        kept: list[dict[int, RowT]] = [{} for _ in items]
        results: list[Result] = [None] * len(items)
        for index, own in enumerate(windows):
            if not own:  # what needs no model to be answered
                results[index] = self._answer(index, items[index], own, (), options)
        if progress is not None and (known := sum(not own for own in windows)):
            progress(known)
        for batch in self.batches([windows[index][number] for index, number in places], options):
            with torch.inference_mode(), evaluating(self.model):
                rows = [windows[index][number] for index, number in (places[place] for place in batch)]
                computed = self.compute(self.collate(rows), rows, options)
            finished = 0
            for place, row in zip(batch, computed, strict=True):
                index, number = places[place]
                kept[index][number] = row
                if len(kept[index]) == len(windows[index]):
                    ordered = [kept[index][number] for number in range(len(windows[index]))]
                    results[index] = self._answer(index, items[index], windows[index], ordered, options)
                    kept[index] = {}
                    finished += 1
            if progress is not None and finished:
                progress(finished)
        return results

    def _answer(
        self, index: int, item: ItemT, windows: Sequence[TextWindow], rows: Sequence[RowT], options: OptionsT
    ) -> Result:
        try:
            return self.decode(item, windows, rows, options)
        except TextError as error:  # a model may have more ids than its tokenizer has tokens
            raise ItemError(index, f"what the model answered is no text: {error}") from None

    def _parse(self, index: int, value: object, options: OptionsT) -> ItemT:
        try:
            return self.parse(value, options)
        except InputError as error:
            raise ItemError(index, str(error)) from None


def serves(head: str, heads: Sequence[str]) -> bool:
    """Whether a head is one of these, or one of a third party's that stands in for one of them."""
    name = head.rpartition(":")[2]
    stands_in = (entry.spec.serves for entry in registry.specs(HeadSpec) if entry.spec.name == name)
    return head in heads or any(set(served) & set(heads) for served in stands_in)


@contextmanager
def evaluating(model: "Model") -> Iterator[None]:
    """Have the model in evaluation mode, whatever was done to it since the task has it, and then as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


CPU_TOKENS = 2048
"""Default budget on a CPU: beyond it a forward pass gains nothing and its activations leave the caches."""

DEVICE_TOKENS = 32768
"""Default budget on an accelerator."""


def tokens_of_pass(model: "Model", asked: int | None = None) -> int:
    """Tokens of one forward pass, padding included: as many as are asked for, else what suits the model's device."""
    return asked or (DEVICE_TOKENS if model.device.type != "cpu" else CPU_TOKENS)
