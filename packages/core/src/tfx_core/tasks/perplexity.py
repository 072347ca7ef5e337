"""Perplexity: how well a language model predicts a text, by sliding windows or by memory."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_core.tasks.base import Result, Task
from tfx_core.tasks.batching import LOGITS_BYTES
from tfx_core.tasks.options import TaskOptions
from tfx_core.tasks.segments import ReadsInAnyOrder, ReadsSegments
from tfx_core.tasks.windows import TextWindow, check_text, length_limit

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from tfx_core.model.model import Model
    from tfx_core.model.outputs import ModelOutput

WINDOW = 1024
"""Tokens of a window where the model takes more, or any number."""

SEGMENT = 128
"""Tokens that a model with a memory reads at once (Dai et al. 2019 evaluate with as many)."""


@dataclass(frozen=True, kw_only=True)
class PerplexityOptions(TaskOptions):
    """Options of `Perplexity`."""

    method: Annotated[
        Literal["auto", "window", "memory"],
        Help(
            "windows that slide over the text, or segments with the memory of earlier ones; auto: memory if it has one"
        ),
    ] = "auto"
    window: Annotated[
        int | None,
        Between(1),
        Help(f"tokens of a window (default: what the model takes, {WINDOW} at most)"),
    ] = None
    stride: Annotated[
        int | None, Between(1), Help("tokens by which a window moves; 1 gives each its full context (default: half)")
    ] = None
    segment: Annotated[int, Between(1), Help("memory: tokens read at once")] = SEGMENT
    memory: Annotated[
        int | None, Between(1), Help("memory: tokens remembered at most (default: what the model was made for)")
    ] = None
    begin_token: Annotated[
        bool, Help("put the model's begin token, if it has one, before a text, so that its first token counts, too")
    ] = True


@dataclass(frozen=True, slots=True)
class Stretch(TextWindow):
    """A window of which the last ``scored`` of ``targets``, one for each token, count."""

    targets: Sequence[int] = ()
    scored: int = 0


@dataclass(frozen=True)
class ScoredText:
    """A text's tokens, from the begin token on, and how many of its bytes are predicted."""

    ids: Sequence[int]
    size: int


class Perplexity(Task[PerplexityOptions, ScoredText, float]):
    """Texts in, dicts with ``perplexity``, ``bits_per_byte``, ``bits_per_token``, ``tokens`` and ``bytes`` out.

    ``tokens`` and ``bytes`` (of UTF-8) are those that were predicted: all of a text, but for its first token where the
    model has no begin token to predict it from. Each text is scored by itself, from its beginning.

    With ``method="window"`` a token is predicted from at least ``window - stride + 1`` tokens before it, or all there
    are; with ``"memory"`` the text is read once, in segments, each with the memory of those before. A model that
    predicts tokens in any order (XLNet) does it here from left to right.
    """

    name = "perplexity"
    heads = ("causal-lm",)
    options_type = PerplexityOptions

    def check_model(self, model: "Model") -> None:
        """Refuse a model that sees what it is to predict."""
        from tfx_core.model.causal_decoding import check_causal

        super().check_model(model)
        if not model.language_head.next_token:
            raise InputError(
                "perplexity: this model predicts a token in its own place, behind a mask, not the next one"
            )
        check_causal(model)

    def check_options(self, options: PerplexityOptions) -> None:
        """Refuse windows and memories that the model does not have, and options of the other method."""
        by_memory = self._by_memory(options)
        if by_memory and self._reader is None:
            raise InputError("perplexity: method='memory' needs a model with a memory; this one has none: use 'window'")
        other = ("window", "stride") if by_memory else ("memory",)
        for name in other:
            if getattr(options, name) is not None:
                method = "window" if by_memory else "memory"
                raise InputError(f"perplexity: {name}={getattr(options, name)} is for method={method!r}")
        window = 1 if by_memory else self._window(options)
        if options.stride is not None and options.stride > window:
            raise InputError(f"perplexity: stride={options.stride} is more than window={window}: it would leave gaps")
        most = None if self._reader is None else self._reader.remembered_tokens
        if options.memory is not None and most is not None and options.memory > most:
            raise InputError(
                f"perplexity: memory={options.memory}, but the model remembers {most} tokens; load it with "
                f"mem_len={options.memory}"
            )

    def parse(self, value: object, options: PerplexityOptions) -> ScoredText:
        """The tokens of a string of which at least one can be predicted."""
        import numpy as np

        text = check_text(value)
        begin = self._begin_token if options.begin_token else None
        batch = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=begin is None)
        ids: list[int] = batch["input_ids"] if begin is None else [begin, *batch["input_ids"]]
        if len(ids) < 2:
            raise InputError(f"{len(ids)} tokens: there is nothing to predict")
        unpredicted = 0 if begin is not None else self._spelled(batch)
        # slices of an array share its memory: a text has many windows
        return ScoredText(_sequence(np.asarray(ids, dtype=np.int64)), len(text[unpredicted:].encode()))

    def _spelled(self, batch: Mapping[str, Any]) -> int:
        """How many characters the first token spells: a lone mark of a word's beginning none of those after it."""
        (_, end), (begins, _) = batch["offset_mapping"][:2]
        blank = not self.tokenizer.decode(batch["input_ids"][:1]).strip()
        spelled: int = min(end, begins) if blank else end
        return spelled

    def encode(self, items: Sequence[ScoredText], options: PerplexityOptions) -> list[list[TextWindow]]:
        """A text's windows, or all of it as one where it goes by memory."""
        by_memory = self._by_memory(options)
        window = 0 if by_memory else self._window(options)
        stride = options.stride or max(1, window // 2)
        windows: list[list[TextWindow]] = []
        for text in items:
            # what predicts a place itself reads it, too; its first place has nothing before it to predict it from
            in_place = self._in_any_order is not None
            inputs, targets = (text.ids, text.ids) if in_place else (text.ids[:-1], text.ids[1:])
            first = 1 if in_place else 0
            size = len(inputs) if by_memory else window + first
            windows.append(list(_stretches(inputs, targets, size, stride, first)))
        return windows

    def row_tokens(self, windows: Sequence[TextWindow], options: PerplexityOptions) -> list[int]:
        """By memory each text goes alone: its segments follow each other."""
        alone = self.token_budget(options) if self._by_memory(options) else 0
        return [max(alone, len(window)) for window in windows]

    def compute(
        self, batch: "Mapping[str, Tensor]", windows: Sequence[TextWindow], options: PerplexityOptions
    ) -> list[float]:
        """The negative log-likelihood, in nats, of what counts of each row."""
        stretches = cast("Sequence[Stretch]", windows)
        if self._reader is not None and self._by_memory(options):
            return [self._by_segments(stretch, self._reader, options) for stretch in stretches]
        return self._by_windows(batch, stretches)

    def decode(
        self, item: ScoredText, windows: Sequence[TextWindow], rows: Sequence[float], options: PerplexityOptions
    ) -> Result:
        """The figures of one text."""
        nats = math.fsum(rows)
        tokens = sum(stretch.scored for stretch in cast("Sequence[Stretch]", windows))
        mean, bits = nats / tokens, nats / math.log(2)
        return {
            "perplexity": math.exp(mean) if mean < _GREATEST_EXPONENT else math.inf,
            "bits_per_byte": bits / item.size if item.size else math.inf,
            "bits_per_token": bits / tokens,
            "tokens": tokens,
            "bytes": item.size,
        }

    def _by_windows(self, batch: "Mapping[str, Tensor]", stretches: Sequence[Stretch]) -> list[float]:
        import numpy as np
        import torch

        length = batch["input_ids"].shape[1]
        ends = [self.place(stretch, length).stop for stretch in stretches]
        scored = [stretch.scored for stretch in stretches]
        inputs: dict[str, Any] = dict(batch)
        if self._reader is not None:
            inputs |= self._reader.segment_inputs(None, remember=False)
        if self._in_any_order is not None:
            inputs |= self._in_any_order.left_to_right(batch["input_ids"], ends, scored)
            ends = [max(scored)] * len(ends)
        states = self.model.language_head.read(self._read(**inputs))
        counted = torch.cat([
            row[end - count : end] for row, end, count in zip(states, ends, scored, strict=True)
        ])  # (N, D)  # fmt: skip
        targets = np.concatenate([stretch.targets[-stretch.scored :] for stretch in stretches])
        losses = self._losses(counted, torch.from_numpy(targets).to(states.device))
        return [float(own.sum()) for own in torch.split(losses, scored)]

    def _by_segments(self, stretch: Stretch, reader: ReadsSegments, options: PerplexityOptions) -> float:
        import torch

        device = self.model.device
        inputs = torch.tensor(stretch.features["input_ids"], device=device)[None]
        targets = torch.tensor(stretch.targets, device=device)
        keep = WINDOW if options.memory is None and reader.remembered_tokens is None else options.memory
        total, mems = [], None
        skipped = len(targets) - stretch.scored
        segments = zip(torch.split(inputs, options.segment, 1), torch.split(targets, options.segment), strict=True)
        for ids, wanted in segments:
            places, order = [ids.shape[1]], self._in_any_order
            ordered = {} if order is None else order.left_to_right(ids, places, places)
            output = self._read(input_ids=ids, **reader.segment_inputs(mems, remember=True), **ordered)
            states = self.model.language_head.read(output)
            total.append(self._losses(states[0, skipped:], wanted[skipped:]).sum())
            skipped = 0
            mems = output.get("mems")
            if keep is not None and mems is not None:
                mems = tuple(each[max(0, len(each) - keep) :] for each in mems)
        return float(torch.stack(total).sum())

    def _read(self, **inputs: Any) -> "ModelOutput":
        given = {name: value for name, value in inputs.items() if value is not None}
        output: ModelOutput = self.model.backbone(**given, attention=self.model.attention)
        return output

    def _losses(self, states: "Tensor", targets: "Tensor") -> "Tensor":
        """Of each of ``(N, D)`` states the negative log-likelihood ``(N,)`` of its target, in float64."""
        import torch
        import torch.nn.functional as F

        predictions = self.model.language_head.predictions
        if not len(targets):
            return states.new_zeros(0, dtype=torch.float64)
        own = getattr(predictions, "losses", None)  # an adaptive softmax computes no logits of the whole vocabulary
        rows = max(1, LOGITS_BYTES // (4 * getattr(self.model.config, "vocab_size", len(self.tokenizer))))
        parts = [
            F.cross_entropy(predictions(some).float(), wanted, reduction="none") if own is None else own(some, wanted)
            for some, wanted in zip(torch.split(states, rows), torch.split(targets, rows), strict=True)
        ]
        return torch.cat(parts).double()

    def _by_memory(self, options: PerplexityOptions) -> bool:
        if options.method != "auto":
            return options.method == "memory"
        asked = options.window is not None or options.stride is not None
        return not asked and self._reader is not None and self._reader.remembered_tokens != 0

    def _window(self, options: PerplexityOptions) -> int:
        limit = length_limit(self.model, self.tokenizer, options.window, "window")
        if options.window is not None:
            return options.window
        return WINDOW if limit is None else min(limit, WINDOW)

    @property
    def _reader(self) -> ReadsSegments | None:
        backbone = self.model.backbone
        return backbone if isinstance(backbone, ReadsSegments) else None

    @property
    def _in_any_order(self) -> ReadsInAnyOrder | None:
        backbone = self.model.backbone
        return backbone if isinstance(backbone, ReadsInAnyOrder) else None

    @property
    def _begin_token(self) -> int | None:
        own = self.tokenizer.bos_token_id
        return self.model.config.bos_token_id if own is None else own


_GREATEST_EXPONENT = math.log(sys.float_info.max)


def _sequence(array: "np.ndarray[Any, np.dtype[np.int64]]") -> Sequence[int]:
    return cast("Sequence[int]", array)


def _stretches(
    inputs: Sequence[int], targets: Sequence[int], window: int, stride: int, first: int
) -> Iterator[Stretch]:
    """Windows over all tokens, each of which scores what no earlier one did, from the target ``first`` on."""
    import numpy as np

    ones = _sequence(np.ones(min(window, len(inputs)), dtype=np.int64))
    done = first
    for begin in range(0, len(inputs), stride):
        end = min(begin + window, len(inputs))
        features = {"input_ids": inputs[begin:end], "attention_mask": ones[: end - begin]}
        yield Stretch(features, targets=targets[begin:end], scored=end - done)
        done = end
        if end == len(inputs):
            return
