"""What a pattern of attention costs by length: memory and multiplications are counted, time is measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model.attentions import AttentionChoice, called
from tfx_core.model.counting import Counts, counted, free_memory
from tfx_core.model.devices import device_of
from tfx_core.model.measured import measurable
from tfx_core.nn import AttentionKernel, RealTokens, by_pattern

_ANY_MEMORY = 256
"""Tokens whose attention fits any memory, whatever the pattern."""

_PATIENCE = 20.0
"""Seconds after which no further round of a length is begun."""


@dataclass(frozen=True)
class AttentionCost:
    """What attention of one pattern costs at one length; where ``peak`` is more than there is, only that is known."""

    pattern: str
    length: int
    peak: int
    """Bytes held at once, at most, beyond queries, keys and values: masks, scores, results, gradients."""
    multiplications: int | None = None
    """Of queries with keys and of weights with values, those that are masked afterwards included."""
    seconds: float | None = None
    """Of a call, the median; its mask is there already, for all layers of a model share it."""
    times_full: float | None = None
    """How many times as long as full attention it takes, the median over the rounds; only beside ``"full"``."""


def attention_cost(
    patterns: str | Sequence[AttentionChoice],
    lengths: Sequence[int],
    *,
    heads: int = 12,
    width: int = 64,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    backward: bool = False,
    rounds: int = 5,
) -> Iterator[AttentionCost]:
    """What attention costs at each length, of each kernel or pattern that ``load_model(…, attention=…)`` takes, or one.

    It is that of one layer without its projections: ``heads`` of ``width``, with ``backward`` the gradients too. What
    is asked of a length is timed in turns. On a CPU memory is that of torch's tensors, without what one operation holds
    within. ``"lsh(64, rounds=2)"`` is the hashed attention of queries that are keys. Raises `InputError` for sizes
    below 1, and what ``load_model`` does for a name or a device that there is not.
    """
    sizes = {"lengths": lengths, "heads": [heads], "width": [width], "batch": [batch], "rounds": [rounds]}
    for name, values in sizes.items():
        if min(values, default=0) < 1:
            raise InputError(f"{name}={min(values, default=None)}: must be at least 1")
    setting = _Setting(batch, heads, width, dtype, device_of(device), backward)
    asked = [patterns] if isinstance(patterns, str) else patterns
    subjects = [_Subject(called(each), measurable(each), setting) for each in asked]
    for length in lengths:
        yield from _of_length(length, subjects, rounds)


@dataclass(frozen=True)
class _Setting:
    """Everything but pattern and length."""

    batch: int
    heads: int
    width: int
    dtype: torch.dtype
    device: torch.device
    backward: bool

    def inputs(self, length: int) -> list[Tensor]:
        """Random queries, keys and values ``(B, H, S, d)``."""
        shape = (self.batch, self.heads, length, self.width)
        made = (torch.randn(shape, dtype=self.dtype, device=self.device) for _ in range(3))
        return [each.requires_grad_(self.backward) for each in made]

    def bytes(self, length: int) -> int:
        """What the inputs take."""
        return 3 * self.batch * self.heads * length * self.width * self.dtype.itemsize


@dataclass(eq=False)
class _Subject:
    """A kernel or a pattern, and what was counted of it so far."""

    name: str
    kernel: AttentionKernel
    setting: _Setting
    counts: dict[int, Counts] = field(default_factory=dict)
    """By length."""

    def call(self, length: int) -> Callable[[], object]:
        """Attention over random numbers; the first call makes the mask."""
        query, key, value = inputs = self.setting.inputs(length)
        tokens = RealTokens(self.setting.batch, length, self.setting.device)
        kernel, bias = by_pattern(self.kernel, None, tokens, length)

        def run() -> object:
            context = kernel(query, key, value, bias, scale=self.setting.width**-0.5, dropout=0.0, observer=None)
            if not self.setting.backward:
                return context
            return torch.autograd.grad(context, inputs, torch.ones_like(context), allow_unused=True)

        return run

    def peak(self, length: int) -> int:
        """Bytes held in a call, counted where there is room for one, else expected."""
        if length not in self.counts:
            expected = self._expected(length)
            if expected + self.setting.bytes(length) > free_memory(self.setting.device):
                return expected
            self.counts[length] = counted(self.call(length), self.setting.device)
        return self.counts[length].peak

    def _expected(self, length: int) -> int:
        """What it holds if that goes on to grow as it did, four times at most where the length doubles."""
        if length <= _ANY_MEMORY:
            return 0
        half, quarter = (self.peak(length // part) for part in (2, 4))
        return int(half * min(4.0, half / quarter))


def _of_length(length: int, subjects: Sequence[_Subject], rounds: int) -> Iterator[AttentionCost]:
    """The costs of all patterns at one length."""
    peaks = [each.peak(length) for each in subjects]
    times = _in_turns({each: each.call(length) for each in subjects if length in each.counts}, rounds)
    full = next((own for each, own in times.items() if each.name == "full"), None)
    for subject, peak in zip(subjects, peaks, strict=True):
        if subject not in times:
            yield AttentionCost(subject.name, length, peak)
            continue
        own, counts = times[subject], subject.counts[length]
        ratio = None if full is None else median(one / other for one, other in zip(own, full, strict=True))
        yield AttentionCost(subject.name, length, peak, counts.multiplications, median(own), ratio)


def _in_turns(calls: Mapping[_Subject, Callable[[], object]], rounds: int) -> Mapping[_Subject, Sequence[float]]:
    """The times of each call in all rounds; who is first turns."""
    waiting, started = list(calls), perf_counter()
    times: dict[_Subject, list[float]] = {each: [] for each in waiting}
    for round_ in range(-1, rounds):  # one to warm up
        turn = round_ % max(1, len(waiting))
        for each in waiting[turn:] + waiting[:turn]:
            times[each].append(_timed(calls[each], each.setting.device))
        if round_ >= 0 and perf_counter() - started > _PATIENCE:
            break
    return {each: own[1:] for each, own in times.items()}


def _timed(call: Callable[[], object], device: torch.device) -> float:
    started = perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - started
