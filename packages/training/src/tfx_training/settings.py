"""How long a training is, and how each update is made."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

from tfx_core.errors import InputError, TfxError
from tfx_core.fields import Above, Between, Checked, Count, Finite, Help, Positive, Size

WITHOUT_EFFECT = frozenset(("evaluate_every", "save_every", "keep_last", "patience", "log_every", "trackers"))
"""Settings that change neither what is learnt nor what is written of it: a training may go on with others."""


@dataclass(frozen=True)
class TrainingSettings(Checked):
    """How to train; exactly one of ``steps``, ``epochs`` and ``minutes`` says how long."""

    error: ClassVar[type[TfxError]] = InputError

    steps: Annotated[Size | None, Help("Stop after this many updates.")] = None
    epochs: Annotated[Size | None, Help("Stop when the corpus was read this many times.")] = None
    minutes: Annotated[
        Annotated[float, Above(0)] | None, Help("Stop after this time; how far it gets depends on the machine.")
    ] = None
    batch_size: Annotated[Size, Help("Rows of an update, over all processes.")] = 32
    accumulation: Annotated[Size, Help("Parts that a process computes its rows of an update in, to save memory.")] = 1
    optimiser: Annotated[
        Literal["adamw", "muon"], Help("muon: Muon for the matrices of the layers, AdamW for the rest.")
    ] = "adamw"
    rate: Annotated[float, Above(0), Finite(), Help("The highest learning rate.")] = 1e-4
    schedule: Annotated[
        Literal["linear", "cosine", "constant", "inverse-sqrt"], Help("How the rate falls after the warm-up.")
    ] = "linear"
    warmup: Annotated[Count, Help("Updates in which the rate rises.")] = 0
    weight_decay: Annotated[Positive, Help("Of matrices; biases, norms and other vectors have none.")] = 0.01
    betas: Annotated[tuple[float, float], Between(0, 1), Help("AdamW's two decay rates.")] = (0.9, 0.999)
    epsilon: Annotated[float, Above(0), Finite(), Help("AdamW's epsilon.")] = 1e-8
    clipping: Annotated[float, Above(0), Help("The largest norm of the gradient; inf clips nothing.")] = 1.0
    precision: Annotated[
        Literal["no", "bf16", "fp16"] | None, Help("Type to compute in; by default what accelerate was told.")
    ] = None
    gradient_checkpointing: Annotated[bool, Help("Compute layers twice, to save memory.")] = False
    compile: Annotated[bool, Help("Compile the models with torch.compile.")] = False
    seed: Annotated[Count, Help("Of everything that is drawn.")] = 0
    evaluate_every: Annotated[Size | None, Help("Updates between evaluations; there is one at the end anyhow.")] = None
    save_every: Annotated[Size | None, Help("Updates between checkpoints; there is one at the end anyhow.")] = None
    keep_best: Annotated[bool, Help("Write the models of the best evaluation, not the last ones.")] = False
    patience: Annotated[Size | None, Help("Stop after so many evaluations in a row that were no better.")] = None
    keep_last: Annotated[Size, Help("Checkpoints to keep.")] = 2
    log_every: Annotated[Size, Help("Updates between lines of the log; each has the mean of its updates.")] = 10
    trackers: Annotated[tuple[str, ...], Help("accelerate's trackers to log to as well, such as tensorboard.")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none of them"
            raise InputError(f"steps, epochs, minutes: exactly one says how long to train; given: {said}")
        if self.patience is not None and self.evaluate_every is None:
            raise InputError(f"patience={self.patience}: evaluate_every must say how often it is looked at")
        if self.steps is not None and self.warmup > self.steps:
            raise InputError(f"warmup={self.warmup}: there are only {self.steps} steps")
        if max(self.betas) >= 1:
            raise InputError(f"betas={self.betas}: each must be below 1")

    def rows_of_a_slice(self, processes: int) -> int:
        """Rows that a process computes at once."""
        parts = processes * self.accumulation
        if self.batch_size % parts:
            raise InputError(
                f"batch_size={self.batch_size}: must be a multiple of {parts}: accumulation={self.accumulation} "
                f"in each of {processes} processes"
            )
        return self.batch_size // parts

    def with_effect(self) -> Mapping[str, Any]:
        """Those that a training must go on with."""
        return {name: value for name, value in asdict(self).items() if name not in WITHOUT_EFFECT}
