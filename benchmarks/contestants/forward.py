"""One call of a model, as the contestants carry it out, with its time and memory; runs in each one's environment."""

import contextlib
import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SHORT = 512
"""Most tokens of the call that warms up; in training some can be called with their own length alone."""
ENOUGH = 1.0
"""Seconds after which a call is not repeated."""
MOST = 20
_STATUS, _PEAK_OF_IT = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Call:
    """A model and the texts that it reads."""

    model: str
    """Folder of the model."""
    batch: int
    length: int
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 1
    train: bool = False
    """With the backward pass; what it holds is told without the gradients of parameters."""
    first_global: bool = False
    """Whether the first token of each text is global."""

    def text(self) -> str:
        """What `from_text` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Call":
        """What `text` wrote."""
        return cls(**json.loads(text))


def compete(load: "Callable[[str], torch.nn.Module]") -> None:
    """Make the call of the first argument, write a state to the file of the second; print seconds, and MB held."""
    import torch

    call, target = Call.from_text(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(call.threads)
    model = load(call.model).to(device=call.device, dtype=getattr(torch, call.dtype)).train(call.train)
    state = run(model, call, call.length if call.train else min(SHORT, call.length))
    target.write_text(json.dumps(state), encoding="utf-8")
    model.zero_grad()
    before = _held(call.device)
    times = [_timed(model, call)]
    held = _held(call.device, peak=True) - before
    held -= sum(each.grad.nbytes for each in model.parameters() if each.grad is not None)
    while sum(times) < ENOUGH and len(times) < MOST:
        times.append(_timed(model, call))
    print(json.dumps({"seconds": sorted(times)[len(times) // 2], "held": max(held, 4096) / 1e6}))


def run(model: "torch.nn.Module", call: Call, length: int) -> list[float]:
    """One call; the first text's last state."""
    import torch

    ids = torch.randint(5, 300, (call.batch, length), generator=torch.Generator().manual_seed(1)).to(call.device)
    first = {"global_attention_mask": torch.zeros_like(ids).index_fill(1, ids.new_zeros(1), 1)}
    with contextlib.nullcontext() if call.train else torch.inference_mode():
        states = model(input_ids=ids, **(first if call.first_global else {})).last_hidden_state
    if call.train:
        states.float().square().mean().backward()
    numbers: list[float] = states[0, -1].float().tolist()
    return numbers


def _timed(model: "torch.nn.Module", call: Call) -> float:
    _wait(call.device)
    started = time.perf_counter()
    run(model, call, call.length)
    _wait(call.device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def _held(device: str, *, peak: bool = False) -> int:
    """Bytes that are held now, or were at most since it was asked last."""
    if device.startswith("cuda"):
        import torch

        if peak:
            return torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if not peak:
        gc.collect()
        _free_unused()
        _PEAK_OF_IT.write_text("5", encoding="ascii")
    lines = dict(line.split(":", 1) for line in _STATUS.read_text(encoding="utf-8").splitlines())
    return int(lines["VmHWM" if peak else "VmRSS"].split()[0]) * 1024


def _free_unused() -> None:
    """Give back what is freed already, for else the call would use it again and seem to need less."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
