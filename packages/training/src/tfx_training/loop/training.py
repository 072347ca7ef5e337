"""From models and a corpus to trained models."""

import math
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs, send_to_device, set_seed
from torch import Tensor

from tfx_core import Model
from tfx_core.cli import ProgressBar
from tfx_core.errors import InputError
from tfx_training.loop import bfloat16
from tfx_training.loop.batches import Share, Update, prepared, updates
from tfx_training.loop.evaluating import evaluate, over_processes
from tfx_training.loop.interrupts import heeded_interrupts
from tfx_training.loop.log import Log, draw
from tfx_training.loop.optimisers import optimisers_of, rate_of
from tfx_training.loop.position import (
    Position,
    checkpoints_in,
    identity_of,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)
from tfx_training.loop.processes import on_the_cpu
from tfx_training.objective import Objective, Outcome, generator_of
from tfx_training.settings import TrainingSettings
from tfx_training.sharding import shard_layers, whole_models, whole_tensor


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    folder: Path
    steps: int
    tokens: int
    seconds: float
    """Of all its runs together, those before it was interrupted too."""

    measures: Mapping[str, float]
    """Of what was held out, of the models that were written; none where nothing was."""

    curves: Path | None
    """The picture of the curves, where there is matplotlib."""


def train(
    objective: Objective[Any, Any],
    models: Mapping[str, Model],
    corpus: Any,
    folder: str | Path,
    *,
    settings: TrainingSettings,
    held_out: Any = None,
    resume: bool | None = None,
    progress: bool = True,
) -> Trained:
    """Train models by an objective, and write them, a log and checkpoints into a folder.

    ``models`` are by the roles of the objective, ``corpus`` and ``held_out`` what its ``rows`` takes. Where the folder
    has checkpoints, the training goes on from the latest one as if it had not stopped: on one process bit for bit,
    unless ``settings.minutes`` says how long it is. ``resume=True`` wants that there is one, ``False`` begins anew.

    The generators of torch, numpy and random are seeded. Ctrl-C finishes the update, writes a checkpoint and raises
    `KeyboardInterrupt`; a second one does not wait. With ``torchrun`` or ``accelerate launch`` every process calls
    this. Raises `InputError` for models, settings and rows that do not fit each other, and for a checkpoint of another
    training.
    """
    for name in ("keep_best", "patience"):
        if getattr(settings, name) and held_out is None:
            raise InputError(
                f"{name}={getattr(settings, name)}: what is better is seen on what is held_out: nothing is"
            )
    training = _Training(objective, models, Path(folder).expanduser(), settings)
    training.begin(corpus, held_out, resume)
    if progress and training.accelerator.is_main_process:
        training.bar = ProgressBar("training")
    with training.trackers(), training.bar or nullcontext():
        training.go_on(held_out)
        return training.end(held_out)


class _Totals(NamedTuple):
    """What all processes together have of an update."""

    counts: Mapping[str, int]
    tokens: int
    stop: bool
    """Whether one of them was interrupted."""


class _Training:
    """One training, in one of its processes."""

    def __init__(
        self, objective: Objective[Any, Any], models: Mapping[str, Model], folder: Path, settings: TrainingSettings
    ) -> None:
        self.objective = objective
        self.models = models
        self.folder = folder
        self.settings = settings
        self.bar: ProgressBar | None = None
        self.accelerator = _accelerator(settings, folder)
        self.share = Share(self.accelerator.process_index, self.accelerator.num_processes)
        self.size = settings.rows_of_a_slice(self.share.processes)
        set_seed(settings.seed, device_specific=True)
        self._prepare(objective.trainee(models))
        self.position = Position()
        self.carried: list[Any] = [None] * settings.accumulation
        self.sums = torch.zeros(len(objective.terms) + 1, device=self.accelerator.device)
        self.rate = 0.0
        self.log: Log | None = None
        self.before = self.position
        """As it was when the log was last added to."""

    def _prepare(self, trainee: torch.nn.Module) -> None:
        """Hand models and optimisers to accelerate: the one place for devices, precision and processes."""
        if self.settings.gradient_checkpointing:
            for model in self.models.values():
                model.gradient_checkpointing_enable()
        if self.settings.compile:
            trainee.compile()
        if self.accelerator.is_fsdp2:
            if self.settings.optimiser == "muon":
                raise InputError(
                    "optimiser='muon': its updates are of whole matrices, and these are in shards; adamw is not"
                )
            shard_layers(self.accelerator.state.fsdp_plugin, trainee)
        optimisers = optimisers_of(trainee, self.settings)
        self.trainee, *self.optimisers = self.accelerator.prepare(trainee, *optimisers)

    def begin(self, corpus: Any, held_out: Any, resume: bool | None) -> None:
        """Begin, or go on where the latest checkpoint is."""
        first_rows = self.objective.rows(corpus, generator_of(self.settings.seed, 0))
        self.identity = identity_of(
            self.objective, self.models, corpus, first_rows, held_out, self.settings, self.share.processes
        )
        found = checkpoints_in(self.folder)
        if resume and not found:
            raise InputError(f"{self.folder} has no checkpoints to go on from; resume=False begins anew")
        if found and resume is not False:
            self.position, self.carried = read_checkpoint(self.accelerator, found[-1], self.identity)
            if self.accelerator.is_main_process:
                self.sums += torch.tensor(self.position.sums, device=self.sums.device)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            if resume is False:
                remove_checkpoints(self.folder)
            self.log = Log(self.folder, self.position.told, self.position.evaluated)
        self.before = self.position.copy()
        place = self.position.epoch, self.position.number
        rows = first_rows if self.position.epoch == 0 else None
        self.ahead = updates(self.objective, corpus, self.settings, self.share, *place, rows=rows)

    @contextmanager
    def trackers(self) -> Iterator[None]:
        """The trackers that were asked for, from the first value to the last."""
        if self.settings.trackers:
            settings = asdict(self.settings).items()
            plain = {name: value for name, value in settings if isinstance(value, int | float | str)}
            self.accelerator.init_trackers("training", config=plain)
        try:
            yield
        finally:
            for each in self.accelerator.trackers:
                each.finish()

    def go_on(self, held_out: Any) -> None:
        """Make all updates that are left."""
        position = self.position
        began = time.monotonic() - position.seconds
        self.trainee.train()
        with heeded_interrupts() as stop, closing(prepared(self.ahead)) as coming:
            for update in coming:
                position.epoch, position.number = update.epoch, update.number
                totals = self._totals(update, time.monotonic() - began, stop.is_set())
                if totals.stop:
                    self._save()
                    raise KeyboardInterrupt
                if self._done(update) >= 1 or self._is_enough:
                    return
                self._update(update, totals)
                self._show(update)
                self._now_and_then(held_out)

    def end(self, held_out: Any) -> Trained:
        """Write what is left to write."""
        position = self.position
        if position.summed:
            self._tell()
        if held_out is not None and position.evaluated != position.step:
            self._save()  # an evaluation may take long, and may fail
            self._evaluate(held_out)
        self._save()
        if not self.settings.keep_best:
            self._write_models()
        curves = draw(self.folder) if self.accelerator.is_main_process else None
        return Trained(self.folder, position.step, position.tokens, position.seconds, dict(position.measures), curves)

    def _totals(self, update: Update, seconds: float, stop: bool) -> _Totals:
        terms = list(self.objective.terms)
        counts = [sum(each[term] for each in update.counts) for term in terms]
        ours = torch.tensor([*counts, update.tokens, int(stop), round(seconds * 1000)])
        *of_terms, tokens, stopped, milliseconds = over_processes(self.accelerator, ours).tolist()
        self.position.seconds = milliseconds / 1000 / self.share.processes
        return _Totals(dict(zip(terms, of_terms, strict=True)), tokens, stopped > 0)

    def _done(self, update: Update) -> float:
        """The share of the training that is over before an update."""
        settings, position = self.settings, self.position
        if settings.steps is not None:
            return position.step / settings.steps
        if settings.epochs is not None:
            return (update.epoch + update.number / update.of) / settings.epochs
        assert settings.minutes is not None
        return position.seconds / 60 / settings.minutes

    def _update(self, update: Update, totals: _Totals) -> None:
        done = self._done(update)
        if self.position.step <= self.settings.warmup:
            self.position.warmed = done
        rate = rate_of(self.settings, self.position.step, done, self.position.warmed)
        if update.number == 0:
            self.carried = [None] * self.settings.accumulation
        for place in range(len(update.batches)):
            last = place == len(update.batches) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.trainee):
                self._learn(update, place, totals.counts)
        norm = whole_tensor(self.accelerator.clip_grad_norm_(self.trainee.parameters(), self.settings.clipping))
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad()
        # of the norm, which all processes have, each adds its part
        self.sums[-1] += norm.detach() / self.share.processes
        self.rate = rate
        self.position.step += 1
        self.position.number += 1
        self.position.summed += 1
        self.position.tokens += totals.tokens

    def _learn(self, update: Update, place: int, totals: Mapping[str, int]) -> None:
        """Add the gradient of one batch, its means weighed so that the sum over all batches is their mean."""
        batch = send_to_device(update.batches[place], self.accelerator.device)
        follows = self.objective.follows
        outcome: Outcome = self.trainee(batch, self.carried[place]) if follows else self.trainee(batch)
        self.carried[place] = _detached(outcome.carried)
        counts = update.counts[place]
        terms = {
            term: outcome.losses[term] * (counts[term] / totals[term]) for term in self.objective.terms if counts[term]
        }
        if not terms and any(totals.values()) and self.share.processes == 1:
            return
        loss = sum(self.objective.terms[term] * each for term, each in terms.items())
        if not isinstance(loss, Tensor):
            raise InputError(f"a batch of {self.size} rows has nothing to learn from; a larger batch_size would have")
        # processes' gradients are averaged, and it is their sum that is wanted
        self.accelerator.backward(loss * self.share.processes)
        for column, term in enumerate(self.objective.terms):
            if term in terms:
                self.sums[column] += terms[term].detach()

    def _now_and_then(self, held_out: Any) -> None:
        """Write the log, evaluate and save, where it is time to."""
        step, settings = self.position.step, self.settings
        if step % settings.log_every == 0:
            self._tell()
        if held_out is not None and settings.evaluate_every and step % settings.evaluate_every == 0:
            self._evaluate(held_out)
        if settings.save_every and step % settings.save_every == 0:
            self._save()

    def _tell(self) -> None:
        """Add a line to the log, of the updates since the one before."""
        position, now = self.position, self._gathered()
        *losses, norm = [value / position.summed for value in now]
        by_term = dict(zip(self.objective.terms, losses, strict=True))
        loss = sum(self.objective.terms[term] * value for term, value in by_term.items())
        line = {"step": position.step, "epoch": position.epoch, "tokens": position.tokens}
        values = {"loss": loss, "rate": self.rate, "gradient_norm": norm}
        if self.log is not None:
            self.log.add({**line, **values, "losses": by_term})
            self.log.add_speed({"step": position.step, "seconds": position.seconds, "tokens_per_second": self._speed()})
        if self.settings.trackers:
            self.accelerator.log({**values, **by_term, "tokens": position.tokens}, step=position.step)
        if self.bar is not None:
            self.bar.label = f"loss {loss:.3f}  {self._speed():,.0f} tokens/s "
        self.sums.zero_()
        position.summed, position.told = 0, position.step
        self.before = position.copy()

    def _speed(self) -> float:
        position, before = self.position, self.before
        return (position.tokens - before.tokens) / max(position.seconds - before.seconds, 1e-9)

    def _gathered(self) -> list[float]:
        """The sums over all processes, as numbers; the first process keeps them.

        Raises `InputError` where one is no number any more, and so before a checkpoint of such models is written.
        """
        if self.share.processes > 1:
            summed = over_processes(self.accelerator, self.sums)
            self.sums.copy_(summed if self.accelerator.is_main_process else torch.zeros_like(summed))
        else:
            summed = self.sums
        self._check_finite(*summed.tolist())
        return list(summed.tolist())

    def _check_finite(self, *sums: float) -> None:
        *losses, norm = sums
        # in fp16 an update whose gradient is too large is left out, and the next one is scaled less
        found = {"loss": sum(losses), "gradient's norm": 0.0 if self.accelerator.scaler is not None else norm}
        for name, value in found.items():
            if not math.isfinite(value):
                raise InputError(
                    f"the {name} is {value} at step {self.position.step}: a lower rate than {self.settings.rate:g}, "
                    f"more warmup or a smaller clipping than {self.settings.clipping} may help; "
                    "the latest checkpoint is whole"
                )

    def _evaluate(self, held_out: Any) -> None:
        position = self.position
        measures = evaluate(self.objective, self.trainee, held_out, self.accelerator, self.size, self.settings.seed)
        position.evaluated = position.step
        score = list(self.objective.score(measures))
        better = not position.score or score > position.score
        position.worse = 0 if better else position.worse + 1
        if better:
            position.score = score
        if better or not self.settings.keep_best:
            position.measures = dict(measures)
        if better and self.settings.keep_best:
            self._write_models()
        if self.log is not None:
            self.log.add({"step": position.step, "epoch": position.epoch, "evaluation": measures})
        if self.settings.trackers:
            self.accelerator.log({f"held out {name}": value for name, value in measures.items()}, step=position.step)

    @property
    def _is_enough(self) -> bool:
        """Whether evaluations have been no better for long enough."""
        return self.settings.patience is not None and self.position.worse >= self.settings.patience

    def _write_models(self) -> None:
        models = whole_models(self.models) if self.accelerator.is_fsdp2 else self.models
        if self.accelerator.is_main_process:
            self.objective.save(models, self.folder)
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        self.position.sums = self._gathered()
        write_checkpoint(
            self.accelerator, self.folder, self.position, self.identity, self.carried, self.settings.keep_last
        )

    def _show(self, update: Update) -> None:
        if self.bar is None:
            return
        settings = self.settings
        if settings.minutes is not None:
            self.bar.total, self.bar.done = round(settings.minutes * 60), round(self.position.seconds)
        else:
            self.bar.total = settings.steps or update.of * (settings.epochs or 1)
            self.bar.done = self.position.step
        self.bar.advance(0)


def _accelerator(settings: TrainingSettings, folder: Path) -> Accelerator:
    """What runs the models; raises `InputError` where it cannot be as the settings say."""
    available = [str(getattr(each, "value", each)) for each in get_available_trackers()]
    for name in settings.trackers:
        if name not in available:
            raise InputError(f"trackers: {name!r} is not installed; there are: {', '.join(available) or 'none'}")
    if settings.precision == "fp16" and on_the_cpu():
        raise InputError("precision='fp16': half precision is for accelerators; bf16 computes on a processor, too")
    if settings.precision == "bf16" and on_the_cpu() and bfloat16.is_emulated():
        warnings.warn(
            "precision='bf16': this processor has no instructions for it, so that it takes longer than precision='no'",
            stacklevel=4,
        )
    # an earlier training of this process may have had another precision
    AcceleratorState._reset_state(reset_partial_state=False)
    try:
        return Accelerator(
            cpu=on_the_cpu(),
            mixed_precision=settings.precision,
            gradient_accumulation_steps=1,  # the parts of an update are weighed and added here
            log_with=list(settings.trackers) or None,
            project_dir=folder if settings.trackers else None,
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
    except ValueError as error:
        raise InputError(f"precision={settings.precision!r}: {error}") from error


def _detached(carried: Any) -> Any:
    """A memory without what it was computed from."""
    if isinstance(carried, Tensor):
        return carried.detach()
    if isinstance(carried, dict):
        return {name: _detached(each) for name, each in carried.items()}
    if isinstance(carried, list | tuple):
        return type(carried)(map(_detached, carried))
    return carried
