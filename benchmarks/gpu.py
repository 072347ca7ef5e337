"""A GPU: every first architecture against the CPU, forwards and decoding beside transformers, one run of bounded time.

Both libraries have to be installed where it runs: `python benchmarks/gpu.py --json FILE`; or `--peers PYTHON` names an
environment with transformers, which ours is lent to. `--device cpu --tiny` tries it without a GPU. What does not fit
into `--seconds` is left out and named, what fails is told, and the file has every part that has ended. `--only` takes
some of the parts: kinds, or a kind with a model, as ``decode:gpt2``.
"""

import argparse
import copy
import faulthandler
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from decoding_race import DecodingRace
from encoders import in_turns, run_with
from generation import GPT2
from measure import print_rows
from seq2seq import BART_BASE, T5_SMALL

if TYPE_CHECKING:
    import torch

FIRST = ("bert", "gpt2", "transfo-xl", "xlnet", "bart", "t5")
"""The architectures that are compared with the CPU."""
RACES: Mapping[str, DecodingRace] = {race.model_type: race for race in (GPT2, T5_SMALL, BART_BASE)}
"""What decodes, with the work that it does on a CPU."""
FORWARDS = ("bert", *RACES)
SHAPES = ((8, 128), (32, 512))
"""Batch and length of forwards: one where a GPU waits for its kernels to begin, and one where it computes."""

SMALL = {"d_model": 64, "vocab_size": 500}
SIDES = {f"{side}_{name}": value for side in ("encoder", "decoder")
         for name, value in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 128))}  # fmt: skip
TWO_LAYERS: Mapping[str, Mapping[str, Any]] = {
    "bert": {"num_hidden_layers": 2},
    "gpt2": {"n_layer": 2},
    "transfo-xl": {"n_layer": 2, "mem_len": 96, "vocab_size": 30000, "cutoffs": [2000, 10000]},
    "xlnet": {"n_layer": 2, "mem_len": 96},
    "bart": {"encoder_layers": 2, "decoder_layers": 2},
    "t5": {"num_layers": 2, "decoder_start_token_id": 0},
}
"""What is compared with the CPU is as wide as the released models."""
TINY: Mapping[str, Mapping[str, Any]] = {
    "bert": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
             "vocab_size": 500},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 500},
    "transfo-xl": {**SMALL, "d_embed": 64, "n_head": 4, "d_head": 16, "d_inner": 128, "n_layer": 2, "mem_len": 96,
                   "cutoffs": [100, 300]},
    "xlnet": {**SMALL, "n_layer": 2, "n_head": 4, "d_inner": 128, "mem_len": 96},
    "bart": {**SMALL, **SIDES},
    "t5": {**SMALL, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0},
}  # fmt: skip
CLOSE: Mapping[str, float] = {"float32": 0.9999, "bfloat16": 0.99}
"""The least cosine of a token's numbers on both sides, by the type of the weights."""
ALIKE = 0.9
"""Share of tokens decoded in float32 that have to agree: a single rounding may change all that follow it."""

Call: TypeAlias = Callable[[], Any]


@dataclass(frozen=True)
class Part:
    """Something that is done by itself."""

    kind: str
    model: str
    run: "Callable[[Bench, str, Found], None]"
    needs: float
    """Seconds; with fewer left it is not begun."""
    most: float
    """Seconds after which it is given up, so that others have their turn."""

    @property
    def name(self) -> str:
        """As `--only` may call it."""
        return f"{self.kind}:{self.model}"


@dataclass
class Found:
    """What a part found."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Measured contestants, or results that were compared."""
    notes: list[str] = field(default_factory=list)
    """What there is to know of them, contestants that failed among it."""


class OutOfTimeError(BaseException):
    """The part has had its time; not an `Exception`, for what it interrupts may catch those."""


@dataclass
class Bench:
    """What all parts share."""

    device: str
    tiny: bool
    rounds: int
    folder: Path
    saved: dict[str, str] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        """Whether there are graphs to capture and kernels to wait for."""
        return self.device.startswith("cuda")

    def wait(self) -> None:
        """Until the device has done all that it was given."""
        import torch

        if self.on_gpu:
            torch.cuda.synchronize()

    def settings(self, model: str) -> Mapping[str, Any]:
        """Of a model of the released size, or of a tiny one."""
        own = RACES[model].config if model in RACES else {}
        return TINY[model] if self.tiny else own

    def both(self, model: str) -> tuple[Any, Any]:
        """Our model and transformers' with the same random weights, in float32."""
        import transformers

        import tfx_core

        head = RACES[model].head if model in RACES else "backbone"
        if model not in self.saved:
            folder = str(self.folder / model)
            tfx_core.new_model(model, head=head, seed=0, **self.settings(model)).save_pretrained(folder)
            self.saved[model] = folder
        auto = {
            "backbone": transformers.AutoModel,
            "causal-lm": transformers.AutoModelForCausalLM,
            "conditional-generation": transformers.AutoModelForSeq2SeqLM,
        }[head]
        folder = self.saved[model]
        theirs = auto.from_pretrained(folder, dtype="float32").to(self.device).eval()
        theirs.config.use_cache = False  # a forward by itself; generate turns it on
        if theirs.can_generate():  # BART's class forces an end that the folder does not speak of
            theirs.generation_config.forced_eos_token_id = None
        return tfx_core.load_model(folder).to(self.device).eval(), theirs

    def ids(self, model: Any, rows: int, length: int) -> "torch.Tensor":
        """Random ids ``(rows, length)``, none of them special."""
        import torch

        generator = torch.Generator().manual_seed(1)
        return torch.randint(5, model.config.vocab_size - 5, (rows, length), generator=generator).to(self.device)

    def measured(self, setting: str, contestants: Mapping[str, Call], found: Found) -> None:
        """Call the contestants in turns; what fails when it is called first is noted and left out."""
        able: dict[str, Callable[[], float]] = {}
        for name, contestant in contestants.items():
            with failing_alone(f"{setting}, {name}", found):
                for _ in range(2):  # some compile for a second call once more
                    contestant()
                self.wait()
                able[name] = self._timed(contestant)
        if not able:
            return
        times = in_turns(list(able.values()), self.rounds)
        for place, name in enumerate(able):
            own = [round_[place] for round_ in times]
            found.rows.append({
                "setting": setting, "name": name, "median": median(own), "least": min(own), "most": max(own),
                "ratio": median(round_[place] / round_[0] for round_ in times), "to": next(iter(able)),
            })  # fmt: skip

    def _timed(self, contestant: Call) -> Callable[[], float]:
        def seconds() -> float:
            self.wait()
            started = time.perf_counter()
            contestant()
            self.wait()
            return time.perf_counter() - started

        return seconds

    def captured(self, call: Call) -> Call:
        """A call, whose tensors stay where they are, as one CUDA graph."""
        import torch

        beside: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(beside)
        graph, own = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph):
                output = call()
        finally:
            torch.cuda.set_stream(own)  # which a capture that fails may leave

        def replay() -> Any:
            graph.replay()
            return output

        return replay

    def with_graphs(self, contestants: Mapping[str, Call], found: Found) -> dict[str, Call]:
        """The same, and each as a graph, where there are any; what its graph gives has to be what it gave."""
        both = dict(contestants)
        for name, contestant in contestants.items() if self.on_gpu else ():
            with failing_alone(f"{name}, graph", found):
                graph = self.captured(contestant)
                check_close(graph(), contestant(), "bfloat16", f"{name}: its graph")
                both[f"{name}, graph"] = graph
        return both


def main() -> None:
    """Do what fits, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of an environment with transformers; by default this one")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="with small models")
    parser.add_argument("--seconds", type=float, default=330, help="which all of it may take")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", help="parts, by kind or as KIND:MODEL")
    parser.add_argument("--json", type=Path, help="file to write the figures into, after each part")
    arguments = parser.parse_args()
    wanted = [part for part in PARTS if not arguments.only or {part.kind, part.name} & {*arguments.only}]
    if unknown := {*(arguments.only or ())} - {name for part in PARTS for name in (part.kind, part.name)}:
        parser.error(f"--only: {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in PARTS)}")
    if arguments.peers is not None:
        run_with(arguments.peers, "tfx-encoders", "tfx-decoders", "tfx-seq2seq")
        return
    started = time.monotonic()
    # what not even an alarm can interrupt, a GPU that does not answer, ends the run; the file has what came before
    faulthandler.dump_traceback_later(arguments.seconds + 20, exit=True)
    print(f"{machine(arguments.device)}\n", flush=True)
    results: dict[str, Any] = {"machine": machine(arguments.device), "tiny": arguments.tiny, "parts": {}}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.device, arguments.tiny, arguments.rounds, Path(folder))
        for part in wanted:
            left = arguments.seconds - (time.monotonic() - started)
            results["parts"][part.name] = done(bench, part, left)
            if arguments.json is not None:
                arguments.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    faulthandler.cancel_dump_traceback_later()
    print_summary(results["parts"], time.monotonic() - started)


def machine(device: str) -> str:
    """What all figures are of."""
    import torch
    import transformers

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{os.cpu_count()} cores"
    return f"{name}; torch {torch.__version__}, transformers {transformers.__version__}"


def done(bench: Bench, part: Part, left: float) -> dict[str, Any]:
    """What came of a part with so many seconds left, printed, too."""
    import torch

    if left < part.needs:
        print(f"{part.name}: left out, with {max(left, 0):.0f} s left it needs {part.needs:.0f}\n", flush=True)
        return {"status": "left out"}
    started, found, status = time.monotonic(), Found(), "done"
    try:
        with at_most(min(part.most, left)), torch.no_grad():
            torch.compiler.reset()
            part.run(bench, part.model, found)
    except OutOfTimeError:
        status = "out of time"
    except Exception:
        status = "failed"
        found.notes.append(traceback.format_exc(limit=-4).strip())
    seconds = time.monotonic() - started
    if bench.on_gpu and status != "failed":
        torch.cuda.empty_cache()
    print(f"{part.name}: {status}, {seconds:.0f} s")
    print_found(found)
    return {"status": status, "seconds": seconds, "rows": found.rows, "notes": found.notes}


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises `OutOfTimeError` in what takes longer."""

    def ring(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def failing_alone(name: str, found: Found) -> Iterator[None]:
    """Notes an error in place of what it would have given."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())
        found.notes.append(f"{name}: {type(error).__name__}: {text[:300]}")


def against_cpu(bench: Bench, model: str, found: Found) -> None:
    """States and greedy tokens of two layers on the device and on the CPU, whole rows and padded ones, few and many."""
    import torch

    import tfx_core
    from tfx_core.model import load_architecture

    settings = TINY[model] if bench.tiny else TWO_LAYERS[model]
    generates = load_architecture(model).decoding is not None and model != "bert"
    seq2seq = model in ("bart", "t5")
    head = ("conditional-generation" if seq2seq else "causal-lm") if generates else "backbone"
    reference = tfx_core.new_model(model, head=head, seed=0, **settings).eval()
    on_device = copy.deepcopy(reference).to(bench.device)

    def compared(kind: str, rows: str, batch: int, length: int) -> None:
        ids = bench.ids(reference, batch, length).cpu()
        lengths = torch.full((batch,), length) if rows == "full" else torch.arange(batch) % length + 1
        mask = (torch.arange(length) < lengths[:, None]).long()
        inputs = {"input_ids": ids, "attention_mask": mask, **({"decoder_input_ids": ids[:, :16]} if seq2seq else {})}
        expected = numbers(reference(**inputs))
        actual = numbers(on_device(**{name: each.to(bench.device) for name, each in inputs.items()})).cpu()
        real = torch.ones(batch, 16, dtype=torch.bool) if seq2seq else mask.bool()
        least = cosine(actual[real], expected[real])
        found.rows.append({"type": kind, "rows": f"{rows}, {batch} x {length}", "cosine": least,
                           "right": least >= CLOSE[kind]})  # fmt: skip

    for kind in CLOSE:
        on_device.to(getattr(torch, kind))
        for rows in ("full", "padded"):
            compared(kind, rows, 4, 32)
        if model == "bert" and not bench.tiny:
            compared(kind, "padded", 80, 128)  # so many tokens that a GPU, too, leaves padding out
    if generates:
        on_device.to(torch.float32).load_state_dict(reference.state_dict())
        ids = bench.ids(reference, 3, 12).cpu()
        options = {"do_sample": False, "min_new_tokens": 16, "max_new_tokens": 16}
        for beams in (1, 3):
            expected = reference.generate(ids, num_beams=beams, **options)
            share = agreement(on_device.generate(ids.to(bench.device), num_beams=beams, **options), expected, 16)
            found.rows.append({"type": "float32", "rows": f"{beams} beams", "tokens": share, "right": share >= ALIKE})


def forwards(bench: Bench, model: str, found: Found) -> None:
    """Calls of whole rows, as they come and as one CUDA graph."""
    _forwards(bench, model, found, compiled=False)


def compiled_forwards(bench: Bench, model: str, found: Found) -> None:
    """The same with every layer compiled."""
    _forwards(bench, model, found, compiled=True)


def _forwards(bench: Bench, model: str, found: Found, *, compiled: bool) -> None:
    import torch

    ours, theirs = bench.both(model)
    few = _inputs(bench, ours, 2, 16)
    check_close(numbers(ours(**few)), numbers(theirs(**few)), "float32", model)
    for each in (ours, theirs):
        each.to(torch.bfloat16)
        if compiled:
            compile_layers(each)
    for batch, length in ((2, 16), (3, 24)) if bench.tiny else SHAPES:
        torch.compiler.reset()
        inputs = _inputs(bench, ours, batch, length)
        contestants: dict[str, Call] = {}
        results: list[torch.Tensor] = []
        for name, each in (("tfx", ours), ("transformers", theirs)):
            with failing_alone(f"{batch} x {length}, {name}", found):
                results.append(numbers(each(**inputs)))
                contestants[name] = partial(_forward, each, inputs)
        for result in results[1:]:
            check_close(results[0], result, "bfloat16", model)
        bench.measured(f"{batch} x {length}", bench.with_graphs(contestants, found), found)


def _forward(model: Any, inputs: Mapping[str, Any]) -> "torch.Tensor":
    return numbers(model(**inputs))


def _inputs(bench: Bench, model: Any, batch: int, length: int) -> dict[str, Any]:
    ids = bench.ids(model, batch, length)
    return {"input_ids": ids, **({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})}


def compile_layers(model: Any, *, dynamic: bool | None = False) -> None:
    """Compile the layers of every stack by themselves: alike as they are, they are compiled once.

    With ``dynamic=None`` sizes that change, as lengths do in decoding, are compiled once more, and for all.
    """
    import torch

    lists = [name for name, each in model.named_modules() if isinstance(each, torch.nn.ModuleList)]
    outer = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    for name in outer:
        for layer in model.get_submodule(name):
            layer.compile(dynamic=dynamic)


def decoding(bench: Bench, model: str, found: Found) -> None:
    """Greedy search and beams, as both libraries come."""
    _decoding(bench, model, found, compiled=False)


def compiled_decoding(bench: Bench, model: str, found: Found) -> None:
    """Greedy search with our layers compiled, and by transformers with a static cache, compiled or not."""
    _decoding(bench, model, found, compiled=True)


def _decoding(bench: Bench, model: str, found: Found, *, compiled: bool) -> None:
    import torch

    race, (ours, theirs) = RACES[model], bench.both(model)
    new = 8 if bench.tiny else race.new_tokens
    settings = {name: each for name, each in race.settings.items() if not compiled or each[1] == 1}
    fused = copy.deepcopy(ours).to(torch.bfloat16) if compiled else None
    if fused is not None:
        compile_layers(fused, dynamic=None)
    for kind in ("float32", "bfloat16"):
        for each in (ours, theirs):
            each.to(getattr(torch, kind))
        for setting, (batch, beams) in settings.items():
            ids = bench.ids(ours, batch, race.length)
            by_ours, by_theirs = (partial(_text, each, ids, beams, new) for each in (ours, theirs))
            share = agreement(by_ours(), by_theirs(), new)
            found.notes.append(f"{setting}, {kind}: {share:.0%} of the tokens are those of transformers")
            if kind == "float32":
                if share < ALIKE:
                    raise RuntimeError(f"{model}, {setting}: only {share:.0%} of the tokens agree in float32")
                continue
            contestants: dict[str, Call] = {"tfx": by_ours, "transformers": by_theirs}
            if fused is not None:
                contestants["tfx, layers compiled"] = by_fused = partial(_text, fused, ids, beams, new)
                share = agreement(by_fused(), by_ours(), new)
                found.notes.append(f"{setting}, {kind}: {share:.0%} of the tokens are the same with layers compiled")
                static = partial(by_theirs, cache_implementation="static")
                contestants["transformers, static cache"] = partial(static, disable_compile=True)
                contestants["transformers, static cache, compiled"] = static  # as it does by itself on a GPU
            bench.measured(setting, contestants, found)


def _text(model: Any, ids: "torch.Tensor", beams: int, new: int, **options: Any) -> "torch.Tensor":
    text: torch.Tensor = model.generate(
        ids,
        attention_mask=ids.new_ones(ids.shape),
        num_beams=beams,
        do_sample=False,
        use_cache=True,
        min_new_tokens=new,
        max_new_tokens=new,
        pad_token_id=0,  # transformers warns at every call without one
        **options,
    )
    return text


def steps(bench: Bench, model: str, found: Found) -> None:
    """One step of decoding at a length that stays, as it comes and as a graph: what that would bring to ours."""
    _steps(bench, model, found, compiled=False)


def compiled_steps(bench: Bench, model: str, found: Found) -> None:
    """The same beside one with its layers compiled."""
    _steps(bench, model, found, compiled=True)


def _steps(bench: Bench, model: str, found: Found, *, compiled: bool) -> None:
    import torch

    race, (ours, _) = RACES[model], bench.both(model)
    models = {"tfx": ours.to(torch.bfloat16)}
    if compiled:
        models["tfx, layers compiled"] = copy.deepcopy(ours)
        compile_layers(models["tfx, layers compiled"])
    for batch in (1, 8):
        torch.compiler.reset()
        contestants: dict[str, Call] = {}
        with torch.inference_mode():
            for name, each in models.items():
                with failing_alone(f"batch {batch}, {name}", found):
                    step = _step(each, bench.ids(ours, batch, race.length), read_by=ours)
                    step()
                    contestants[name] = step
            results = [each() for each in contestants.values()]
            for result in results[1:]:
                check_close(results[0], result, "bfloat16", model)
            contestants = bench.with_graphs(contestants, found)
            bench.measured(f"batch {batch}, length {race.length + 1}", contestants, found)


def _step(model: Any, ids: "torch.Tensor", *, read_by: Any) -> Call:
    """What reads one more token and forgets it again; these, and a source for an encoder, the other model has read."""
    writer, head, reader = model.backbone.text_writer, model.language_head, read_by.backbone
    source = {}
    if model.config.is_encoder_decoder:
        source = {"encoder_hidden_states": reader.source_reader(input_ids=ids).last_hidden_state}
    cache = writer.new_cache()
    cache.expect(2 * ids.shape[1])
    reader.text_writer(input_ids=ids, past_key_values=cache, use_cache=True, **source)
    known, last = cache.real, ids[:, -1:].clone()

    def step() -> Any:
        cache.real = known
        for layer in cache.layers:
            layer.crop(known.length)
        return head.predictions(head.read(writer(input_ids=last, past_key_values=cache, use_cache=True)))

    return step


def numbers(output: Any) -> "torch.Tensor":
    """What a call gives: logits ``(B, S, V)``, or states ``(B, S, D)``."""
    given: torch.Tensor = output["logits"] if "logits" in output else output["last_hidden_state"]
    return given


def cosine(one: "torch.Tensor", other: "torch.Tensor") -> float:
    """The least of all tokens; below any limit where a number is none."""
    import torch

    found = torch.nn.functional.cosine_similarity(one.float(), other.float(), dim=-1).min()
    return float(found.nan_to_num(nan=-1.0))


def check_close(one: "torch.Tensor", other: "torch.Tensor", kind: str, name: str) -> None:
    """Raise `RuntimeError` where two results of this type differ by more than rounding."""
    least = cosine(one, other)
    if least < CLOSE[kind]:
        raise RuntimeError(f"{name}, {kind}: both sides differ, the least cosine is {least:.4f}")


def agreement(one: "torch.Tensor", other: "torch.Tensor", new: int) -> float:
    """Share of the last ``new`` tokens that are alike."""
    return float((one[:, -new:].cpu() == other[:, -new:].cpu()).float().mean())


PARTS = (
    *(Part("check", model, against_cpu, needs=8, most=40) for model in FIRST),
    *(Part("decode", model, decoding, needs=15, most=60) for model in RACES),
    *(Part("forward", model, forwards, needs=15, most=40) for model in FORWARDS),
    *(Part("step", model, steps, needs=10, most=30) for model in RACES),
    *(
        part
        for model in FORWARDS
        for part in (
            *([Part("decode-compiled", model, compiled_decoding, needs=35, most=100)] if model in RACES else []),
            Part("forward-compiled", model, compiled_forwards, needs=30, most=90),
            *([Part("step-compiled", model, compiled_steps, needs=25, most=60)] if model in RACES else []),
        )
    ),
)
"""What is wanted most comes first; what compiles takes longest and comes last."""


def print_found(found: Found) -> None:
    """A table, and the notes below."""
    if found.rows and "median" in found.rows[0]:
        rows: list[tuple[str, ...]] = [("", "", "ms", "from - to", "times the first")]
        for before, each in pairwise([{"setting": None}, *found.rows]):
            milliseconds = [f"{each[name] * 1000:.2f}" for name in ("median", "least", "most")]
            setting = "" if each["setting"] == before["setting"] else each["setting"]
            rows.append((setting, each["name"], milliseconds[0], " - ".join(milliseconds[1:]), f"{each['ratio']:.2f}"))
        print_rows(rows)
    elif found.rows:
        for each in found.rows:
            what = f"cosine {each['cosine']:.5f}" if "cosine" in each else f"tokens alike {each['tokens']:.0%}"
            print(f"{each['type']}, {each['rows']}: {what}: {'right' if each['right'] else 'WRONG'}")
    for note in found.notes:
        print(note)
    print(flush=True)


def print_summary(parts: Mapping[str, Mapping[str, Any]], seconds: float) -> None:
    """Which parts came to what; those compared with the CPU are wrong where one result is."""
    print(f"{seconds:.0f} s in all")
    for status in ("done", "left out", "out of time", "failed"):
        names: Sequence[str] = [name for name, each in parts.items() if each["status"] == status]
        if names:
            print(f"{status}: {', '.join(names)}")
    wrong = [name for name, each in parts.items() if not all(row.get("right", True) for row in each.get("rows", ()))]
    print(f"not as on the CPU: {', '.join(wrong) or 'none'}")
    if wrong or any(each["status"] == "failed" for each in parts.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
