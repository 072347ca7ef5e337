"""Language models made of a table, whose every answer can be worked out by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tfx_core.generation import DecodingState, GenerationOptions, GenerationOutput, Prompts, decode

PAD, EOS = 0, 1


class Table:
    """The logits of the next token by the last two; ``sharpness`` is how much they differ."""

    def __init__(self, size: int = 9, seed: int = 0, sharpness: float = 2.0, width: int = 6) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.size = size
        self.logits = torch.randn(size, size, size, generator=generator) * sharpness
        self.hidden = torch.randn(size, size, width, generator=generator)

    def after(self, text: list[int]) -> Tensor:
        """Logits ``(V,)``; before a text stands the padding token."""
        before, last = ([PAD, *text])[-2:]
        return self.logits[before, last].clone()


class TableState:
    """A state over a table that has every capability and checks what the engine may ask of it.

    ``log`` has each call's name and the number of rows it concerned.
    """

    def __init__(self, table: Table, texts: list[list[int]]) -> None:
        self.table = table
        self.texts = [list(text) for text in texts]
        self.sources = len(texts)
        self.log: list[tuple[str, int]] = []
        self.given: list[int] | None = None
        self.stopped = [0] * len(texts)

    def prefill(self) -> Tensor:
        assert not self.log, "prefill comes first, and once"
        self.log.append(("prefill", len(self.texts)))
        return self._logits()

    def prefill_with_hidden(self) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.prefill()
        longest = max(map(len, self.texts))
        hidden = torch.full((len(self.texts), longest, self.table.hidden.shape[-1]), 7.0)
        mask = torch.zeros(len(self.texts), longest, dtype=torch.bool)
        for row, text in enumerate(self.texts):
            for place in range(len(text)):
                column = longest - len(text) + place
                hidden[row, column], mask[row, column] = self._hidden(text[: place + 1]), True
        return logits, hidden, mask

    def step(self, ids: Tensor) -> Tensor:
        assert ids.shape == (len(self.texts),)
        assert self.given is None, "extend is followed by keep"
        self.log.append(("step", len(self.texts)))
        for text, token in zip(self.texts, ids.tolist(), strict=True):
            text.append(token)
        return self._logits()

    def step_with_hidden(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.step(ids), torch.stack([self._hidden(text) for text in self.texts])

    def extend(self, ids: Tensor, lengths: Tensor) -> Tensor:
        assert len(ids) == len(self.texts)
        self.log.append(("extend", len(self.texts)))
        before, new = self.given or [0] * len(ids), lengths.tolist()
        assert all(count == 0 or self.stopped[row] == 0 for row, count in enumerate(new)), "a row that ended goes on"
        self.stopped = [int(count < ids.shape[1]) for count in new]
        self.given = [one + other for one, other in zip(before, new, strict=True)]
        logits = torch.full((*ids.shape, self.table.size), float("nan"))
        for row, (text, count) in enumerate(zip(self.texts, new, strict=True)):
            for place in range(count):
                text.append(int(ids[row, place]))
                logits[row, place] = self.table.after(text)
        return logits

    def keep(self, counts: Tensor) -> None:
        assert self.given is not None
        for text, given, count in zip(self.texts, self.given, counts.tolist(), strict=True):
            assert 0 <= count <= given
            del text[len(text) - given + count :]
        self.given = None
        self.stopped = [0] * len(self.texts)

    def expand(self, copies: int) -> None:
        self.texts = [list(text) for text in self.texts for _ in range(copies)]
        self.stopped = [0] * len(self.texts)

    def reorder(self, rows: Tensor) -> None:
        self.log.append(("reorder", len(rows)))
        before, now = len(self.texts) // self.sources, len(rows) // self.sources
        assert len(rows) == now * self.sources
        assert now <= before
        for place, row in enumerate(rows.tolist()):
            assert row // before == place // now, "a row left its source"
        self.texts = [list(self.texts[row]) for row in rows.tolist()]
        self.stopped = [0] * len(self.texts)

    def select(self, sources: Tensor) -> None:
        self.log.append(("select", len(sources)))
        copies = len(self.texts) // self.sources
        self.texts = [self.texts[source * copies + copy] for source in sources.tolist() for copy in range(copies)]
        self.sources = len(sources)
        self.stopped = [0] * len(self.texts)

    def _logits(self) -> Tensor:
        return torch.stack([self.table.after(text) for text in self.texts])

    def _hidden(self, text: list[int]) -> Tensor:
        before, last = ([PAD, *text])[-2:]
        return self.table.hidden[before, last]


class PlainState:
    """A state with no capability beyond decoding."""

    def __init__(self, state: TableState) -> None:
        for name in ("prefill", "step", "expand", "reorder", "select"):
            setattr(self, name, getattr(state, name))

    prefill: Any
    step: Any
    expand: Any
    reorder: Any
    select: Any


def padded(texts: list[list[int]], side: str = "left") -> tuple[Tensor, Tensor]:
    """Token ids and mask ``(B, P)``."""
    longest = max(map(len, texts))
    ids, mask = torch.full((len(texts), longest), PAD), torch.zeros(len(texts), longest, dtype=torch.long)
    for row, text in enumerate(texts):
        columns = slice(longest - len(text), longest) if side == "left" else slice(0, len(text))
        ids[row, columns], mask[row, columns] = torch.tensor(text), 1
    return ids, mask


def run(
    table: Table,
    texts: list[list[int]],
    *,
    state: DecodingState | None = None,
    arguments: dict[str, Any] | None = None,
    side: str = "left",
    **options: Any,
) -> GenerationOutput:
    """Decode from the table; ``arguments`` are those of `decode`."""
    given = GenerationOptions(**{"eos_token_id": EOS, "pad_token_id": PAD, **options})
    ids, mask = padded(texts, side)
    return decode(state or TableState(table, texts), Prompts.from_padded(ids, mask), given, **(arguments or {}))


def new(output: GenerationOutput, texts: list[list[int]], eos: int = EOS) -> list[list[int]]:
    """The new tokens of each text, up to and with its end token."""
    begin = max(map(len, texts))
    rows = output.sequences[:, begin:].tolist()
    return [row[: row.index(eos) + 1] if eos in row else row for row in rows]


def found(table: Table, texts: list[list[int]], **options: Any) -> list[list[int]]:
    """The new tokens that decoding from the table finds."""
    return new(run(table, texts, **options), texts)


@dataclass
class ToyConfig:
    """The config of a `ToyModel`."""

    is_encoder_decoder: bool = False


@dataclass
class ToyArchitecture:
    """Makes table states of inputs as a real architecture's ``decoding`` does."""

    table: Table
    last: TableState | None = None
    inputs: dict[str, Any] = field(default_factory=dict)

    def decoding(self, model: "ToyModel", inputs: dict[str, Any]) -> TableState:
        self.inputs = dict(inputs)
        ids = inputs["decoder_input_ids" if model.config.is_encoder_decoder else "input_ids"]
        mask = inputs.get("decoder_attention_mask" if model.config.is_encoder_decoder else "attention_mask")
        mask = torch.ones_like(ids) if mask is None else mask
        self.last = TableState(self.table, [row[real.bool()].tolist() for row, real in zip(ids, mask, strict=True)])
        return self.last


@dataclass
class ToyModel:
    """What `generate` needs of a model."""

    architecture: ToyArchitecture
    config: ToyConfig = field(default_factory=ToyConfig)
    generation_options: GenerationOptions = field(
        default_factory=lambda: GenerationOptions(eos_token_id=EOS, pad_token_id=PAD)
    )
    most_read: int | None = None
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # devices do not change
    input_names: tuple[str, ...] = (
        "attention_mask",
        "decoder_attention_mask",
        "decoder_input_ids",
        "input_ids",
        "token_type_ids",
    )

    def check_types(self, inputs: Mapping[str, Any]) -> None:
        """Its calls take anything."""


def toy_model(table: Table | None = None, **changes: Any) -> ToyModel:
    """A model over a table."""
    return ToyModel(ToyArchitecture(table or Table()), **changes)
