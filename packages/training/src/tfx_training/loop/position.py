"""How far a training is, and the checkpoints that it goes on from."""

import json
import re
import shutil
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from tfx_core import Model
from tfx_core.checkpoint import replacing_folder, save_errors
from tfx_core.errors import CheckpointError, InputError, shown
from tfx_training.objective import Objective, generator_of
from tfx_training.settings import TrainingSettings

_POSITION = "position.json"
_ROWS_LOOKED_AT = 8
_HELD_OUT = "held-out corpus"
"""May be missing on one side: what was not measured may be from now on, and the other way round."""


@dataclass
class Position:
    """How far a training is; with the state of models, optimisers and generators all that it needs to go on."""

    step: int = 0
    """Updates that were made."""

    epoch: int = 0
    number: int = 0
    """Of the next update within its epoch."""

    tokens: int = 0
    seconds: float = 0.0

    warmed: float = 0.0
    """The share of the training that was over when the warm-up was."""

    sums: list[float] = field(default_factory=list)
    """Of the updates that no line of the log tells of yet: the loss of each term, the norm of the gradient."""

    summed: int = 0
    """How many updates these are."""

    told: int = -1
    """The step of the latest line of the log."""

    measures: dict[str, float] = field(default_factory=dict)
    """Of the latest evaluation."""

    score: list[float] = field(default_factory=list)
    """Of the best evaluation."""

    worse: int = 0
    """How many evaluations came after it."""

    evaluated: int = -1
    """The step of the latest evaluation."""

    def copy(self) -> "Position":
        """Another one that is the same."""
        return replace(self)


def identity_of(
    objective: Objective[Any, Any],
    models: Mapping[str, Model],
    corpus: Any,
    first_rows: Sequence[Any],
    held_out: Any,
    settings: TrainingSettings,
    processes: int,
) -> Mapping[str, Any]:
    """What must be the same for a training to go on, by names that an error can tell.

    ``first_rows`` are those of the corpus in its first epoch.
    """
    plain = (int, float, str, bool, tuple, type(None))
    options = {name: value for name, value in vars(objective).items() if isinstance(value, plain)}
    configs = {role: model.stored_config().to_dict() for role, model in models.items()}
    found = {
        "processes": processes,
        "objective": f"{type(objective).__module__}.{type(objective).__qualname__}",
        **{f"objective.{name}": value for name, value in options.items() if not name.startswith("_")},
        **{f"settings.{name}": value for name, value in settings.with_effect().items()},
        **{f"{role}.{key}": value for role, config in configs.items() for key, value in config.items()},
        **_identity_of_corpus(objective, corpus, first_rows, settings.seed),
        **({} if held_out is None else {_HELD_OUT: objective.digest(held_out)}),
    }
    told: Mapping[str, Any] = json.loads(json.dumps(found, default=shown))
    return told


def _identity_of_corpus(
    objective: Objective[Any, Any], corpus: Any, rows: Sequence[Any], seed: int
) -> Mapping[str, Any]:
    """How many rows there are, a digest of what the objective makes of a few of them, and one of the corpus."""
    digest = 0
    for number in np.linspace(0, len(rows) - 1, min(_ROWS_LOOKED_AT, len(rows)), dtype=np.int64).tolist():
        example = objective.example(rows[number], generator_of(seed, 0, number))
        for name in sorted(example):
            digest = zlib.crc32(_bytes(example[name]), digest)
    size = getattr(corpus, "size", None)
    found = {"rows": len(rows), "size": size if isinstance(size, int) else None}
    found |= {"examples": digest, "digest": objective.digest(corpus)}
    return {f"corpus.{name}": value for name, value in found.items()}


def _bytes(value: Any) -> bytes:
    array = np.asarray(value)
    return repr(value).encode() if array.dtype == object else array.tobytes()


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a training, the latest last."""
    found = [each for each in (folder / "checkpoints").glob("step-*") if re.fullmatch(r"step-\d+", each.name)]
    return sorted(found, key=lambda each: int(each.name[5:]))


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints of a training, the latest last."""
    for each in checkpoints_in(folder):
        shutil.rmtree(each)


def write_checkpoint(
    accelerator: Accelerator,
    folder: Path,
    position: Position,
    identity: Mapping[str, Any],
    carried: Any,
    keep_last: int,
) -> Path:
    """Write all that a training goes on from; it appears whole, under its name, or not at all."""
    path = folder / "checkpoints" / f"step-{position.step}"
    main = accelerator.is_main_process
    with save_errors(path, CheckpointError), replacing_folder(path) if main else nullcontext() as new:
        (place,) = broadcast_object_list([str(new)])
        accelerator.save_state(place)
        torch.save(carried, Path(place) / f"carried_{accelerator.process_index}.pt")
        accelerator.wait_for_everyone()
        if main:
            told = {"position": asdict(position), "identity": identity, "bytes": _sizes_in(Path(place))}
            (Path(place) / _POSITION).write_text(json.dumps(told, indent=1), encoding="utf-8")
    accelerator.wait_for_everyone()
    if main:
        for old in checkpoints_in(folder)[:-keep_last]:
            shutil.rmtree(old, ignore_errors=True)
    return path


def read_checkpoint(accelerator: Accelerator, path: Path, identity: Mapping[str, Any]) -> tuple[Position, Any]:
    """Give models, optimisers and generators the state of a checkpoint; its position, and what was carried.

    Raises `InputError` where it is of another training, `CheckpointError` where something of it is lost or damaged.
    """
    try:
        told = json.loads((path / _POSITION).read_text(encoding="utf-8"))
        position, theirs, sizes = Position(**told["position"]), told["identity"], dict(told["bytes"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{path / _POSITION}: is no position of a training ({error}); remove {path}") from error
    check_same(path, identity, theirs)
    found = _sizes_in(path)
    # looked for here, for accelerate goes on without the state of the generators
    for name, size in sizes.items():
        if found.get(name) != size:
            has = "is missing" if name not in found else f"has {found[name]} bytes, not {size}"
            raise CheckpointError(f"{path / name}: {has}; remove {path}, and the training goes on from the one before")
    carried_file = path / f"carried_{accelerator.process_index}.pt"
    try:
        accelerator.load_state(str(path))
        carried = torch.load(carried_file, map_location=accelerator.device, weights_only=True)
    except Exception as error:  # of many classes, according to the file
        raise CheckpointError(
            f"{path}: cannot be read: {error}; remove it, and the training goes on from the one before"
        ) from error
    return position, carried


def _sizes_in(folder: Path) -> dict[str, int]:
    """The bytes of each file of a checkpoint, but of the one that tells them."""
    files = (each for each in sorted(folder.rglob("*")) if each.is_file() and each.name != _POSITION)
    return {each.relative_to(folder).as_posix(): each.stat().st_size for each in files}


def check_same(path: Path, identity: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise `InputError` that names the first thing in which two trainings differ."""
    for name in (*identity, *theirs):
        ours, other = identity.get(name), theirs.get(name)
        if ours != other and not (name == _HELD_OUT and None in (ours, other)):
            raise InputError(
                f"{path} is of another training: {name} is {shown(other)} there and {shown(ours)} now; "
                "go on with what it had, train into another folder, or begin anew with resume=False"
            )
