"""Reads sentence-transformers folders: which files hold the encoder, how it pools, and what follows.

``modules.json`` lists the steps; each step's folder has its ``config.json``. Classes are known by name, never imported
from what a folder says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.checkpoint import Folder, read_tensors
from tfx_core.checkpoint.folder import Subfolder, parse_json_value, read_json_bytes
from tfx_core.embedding.pooling import Pooling
from tfx_core.embedding.similarity import SIMILARITIES
from tfx_core.errors import CheckpointError, shown
from tfx_core.fields import Count, Size, checked

_Value = TypeVar("_Value")
_Module = TypeVar("_Module", bound=nn.Module)

POOLING_NAMES: Mapping[str, Pooling] = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weightedmean",
    "lasttoken": "lasttoken",
}

POOLING_FLAGS: Mapping[str, Pooling] = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Names in files written before release 6, in the order in which vectors of several are joined."""

_SETTINGS = "config_sentence_transformers.json"

_TRANSFORMER_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Where old releases put the settings of the encoder, by model type; newer ones always use the first."""

_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        nn.ELU, nn.GELU, nn.Hardswish, nn.Identity, nn.LeakyReLU, nn.Mish, nn.ReLU, nn.ReLU6, nn.SELU, nn.Sigmoid,
        nn.SiLU, nn.Softplus, nn.Softsign, nn.Tanh,
    )
}  # fmt: skip


_MOST_STEPS = 16
"""More than any release has; each may name the same folder and take as much memory as its file."""

_NO_LIMIT = 2**31
"""Tokens from which on a length means that there is no limit."""


class Normalize(nn.Module):
    """Scales vectors to length 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) -> (B, D)."""
        return F.normalize(x, dim=-1)


class Dense(nn.Module):
    """A linear layer with an activation, and perhaps the input added to its output."""

    def __init__(self, linear: nn.Linear, activation: nn.Module, residual: nn.Module | None = None) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, D_in) -> (B, D_out)."""
        y: Tensor = self.activation(self.linear(x))
        return y if self.residual is None else y + self.residual(x)


@dataclass(frozen=True)
class Stage:
    """A step behind the pooling, in evaluation form."""

    module: nn.Module
    """(B, D) -> (B, D')."""
    where: str
    """The file that describes it."""
    inputs: int | None = None
    """The D that it takes; None where it takes any and leaves it."""
    outputs: int | None = None


@dataclass(frozen=True)
class SentenceRecipe:
    """What a folder says about turning texts into vectors."""

    transformer: Folder
    max_length: int | None = None
    """Tokens to which texts are cut; None where the folder leaves it to the tokenizer."""
    lower_case: bool = False
    pooling: tuple[Pooling, ...] = ("mean",)
    """Several are joined into one longer vector."""
    pool_prompt: bool = True
    """Whether the tokens of a prompt count in the pooling."""
    stages: tuple[Stage, ...] = ()
    """What follows the pooling."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    """Name of the prompt for texts that come without one."""
    similarity: str = "cosine"
    """How vectors are compared, see `tfx_core.embedding.similarity`."""

    def check_widths(self, width: int) -> None:
        """Raise `CheckpointError` for a stage that does not take what comes before; a state has ``width`` numbers."""
        width *= len(self.pooling)
        for stage in self.stages:
            if stage.inputs not in (None, width):
                raise CheckpointError(f"{stage.where}: takes vectors of {stage.inputs} numbers, and gets {width}")
            width = stage.outputs or width


def read_sentence_folder(folder: Folder) -> SentenceRecipe:
    """Read a folder with a ``modules.json``; `CheckpointError` names file, key and value that are not understood."""
    steps = _steps(folder)
    kinds = [kind for kind, _ in steps]
    if kinds[:2] != ["Transformer", "Pooling"]:
        raise CheckpointError(
            f"{folder.label}/modules.json: the steps are {', '.join(kinds)}; Transformer and Pooling must come first"
        )
    transformer, pooling = steps[0][1], steps[1][1]
    max_length, lower_case = _read_transformer(transformer)
    modes, pool_prompt = _read_pooling(pooling)
    prompts, default_prompt = _read_prompts(folder)
    similarity = _Settings(folder, _SETTINGS).get("similarity_fn_name", Literal[tuple(SIMILARITIES)], "cosine")
    return SentenceRecipe(
        transformer,
        max_length,
        lower_case,
        modes,
        pool_prompt,
        tuple(_stage(kind, own, folder) for kind, own in steps[2:]),
        prompts,
        default_prompt,
        similarity,
    )


class _Settings:
    """The JSON object in a file, whose values are checked when they are read."""

    def __init__(self, folder: Folder, *names: str, needed: bool = False) -> None:
        found = next((name for name in names if folder.path(name) is not None), None)
        if needed:
            found = found or names[0]
            folder.require(found)
        self.where = f"{folder.label}/{found or names[0]}"
        self.values: Mapping[str, Any] = {} if found is None else folder.json(found) or {}

    def get(self, key: str, hint: Any, default: _Value) -> _Value:
        """The value of ``key`` as the annotation wants it; absent or null it is ``default``."""
        value: _Value | None = checked(self.values.get(key), hint | None, key, CheckpointError, where=self.where)
        return default if value is None else value

    def size(self, key: str) -> int:
        """The width that ``key`` has to name."""
        size: int = checked(self.values.get(key), Size, key, CheckpointError, where=self.where)
        return size

    def require(self, key: str, allowed: Sequence[object]) -> None:
        """Refuse a file whose ``key`` is there and says something else than what is implemented."""
        if key in self.values and self.values[key] not in allowed:
            raise self.refused(key, " or ".join(map(repr, allowed)))

    def refused(self, key: str, allowed: str) -> CheckpointError:
        return CheckpointError(f"{self.where}: {key}={shown(self.values.get(key))}: must be {allowed}")


def _steps(folder: Folder) -> list[tuple[str, Folder]]:
    """The class name and the folder of each step."""
    where = f"{folder.label}/modules.json"
    modules = parse_json_value(read_json_bytes(folder.require("modules.json"), where), where)
    if not isinstance(modules, list) or not 0 < len(modules) <= _MOST_STEPS:
        raise CheckpointError(f"{where}: a list of the encoder's steps is expected, not more than {_MOST_STEPS}")
    steps = []
    for number, module in enumerate(modules):
        kind, path = (module.get(key) if isinstance(module, dict) else None for key in ("type", "path"))
        if not isinstance(kind, str) or not isinstance(path, str):
            raise CheckpointError(
                f"{where}: step {number} is {shown(module)}; an object with type and path is expected"
            )
        package, _, name = kind.rpartition(".")
        if package.split(".")[0] != "sentence_transformers" or name not in _KNOWN:
            raise CheckpointError(
                f"{where}: step {number} is of type {shown(kind)}; the types understood are those of "
                f"sentence_transformers named {', '.join(_KNOWN)}"
            )
        steps.append((name, Subfolder(folder, path) if path else folder))
    return steps


def _read_transformer(folder: Folder) -> tuple[int | None, bool]:
    settings = _Settings(folder, *_TRANSFORMER_FILES)
    settings.require("transformer_task", ["feature-extraction", None])
    settings.require("module_output_name", ["token_embeddings", None])
    settings.require("processing_kwargs", [{}, None])
    length = settings.get("max_seq_length", Count, 0)
    return length if 0 < length < _NO_LIMIT else None, settings.get("do_lower_case", bool, False)


def _read_pooling(folder: Folder) -> tuple[tuple[Pooling, ...], bool]:
    settings = _Settings(folder, "config.json", needed=True)
    include_prompt = settings.get("include_prompt", bool, True)
    named = settings.values.get("pooling_mode")
    if named is None:
        flags = tuple(mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag, bool, False))
        return flags or ("mean",), include_prompt
    names = named if isinstance(named, list) else [named]
    known = all(isinstance(name, str) and name in POOLING_NAMES for name in names)
    if not names or not known or len(set(names)) < len(names):
        raise settings.refused("pooling_mode", f"one or several of {', '.join(POOLING_NAMES)}")
    return tuple(POOLING_NAMES[name] for name in names), include_prompt


def _read_prompts(folder: Folder) -> tuple[Mapping[str, str], str | None]:
    settings = _Settings(folder, _SETTINGS)
    prompts: Mapping[str, str] = settings.get("prompts", dict[str, str], {})
    default = settings.get("default_prompt_name", str, "")
    if default and default not in prompts:
        raise settings.refused("default_prompt_name", f"one of the prompts ({', '.join(prompts) or 'there are none'})")
    return prompts, default or None


def _stage(kind: str, folder: Folder, parent: Folder) -> Stage:
    """A step behind the pooling."""
    if kind == "Dropout":
        return Stage(nn.Identity(), folder.label)
    if kind not in ("Normalize", "LayerNorm", "Dense"):
        raise CheckpointError(f"{parent.label}/modules.json: a step {kind} cannot follow the pooling")
    settings = _Settings(folder, "config.json", needed=kind != "Normalize")
    if kind == "LayerNorm":
        size = settings.size("dimension")
        tensors = _tensors(folder, {"norm.weight": (size,), "norm.bias": (size,)})
        return Stage(_filled(nn.LayerNorm(size, device="meta"), "norm", tensors), settings.where, size, size)
    _only_vectors(settings)
    return Stage(Normalize(), settings.where) if kind == "Normalize" else _dense(folder, settings)


def _dense(folder: Folder, settings: _Settings) -> Stage:
    inputs, outputs = settings.size("in_features"), settings.size("out_features")
    name = settings.get("activation_function", str, "torch.nn.modules.activation.Tanh")
    package, _, activation = name.rpartition(".")
    if activation not in _ACTIVATIONS or not f"{package}.".startswith("torch.nn."):
        raise settings.refused("activation_function", f"torch.nn.modules… {', '.join(_ACTIVATIONS)}")
    bias = settings.get("bias", bool, True)
    residual = settings.get("use_residual", bool, False)
    projected = residual and inputs != outputs
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (outputs, inputs)}
    shapes |= {"linear.bias": (outputs,)} if bias else {}
    shapes |= {"residual.weight": (outputs, inputs)} if projected else {}
    tensors = _tensors(folder, shapes)
    linear = _filled(nn.Linear(inputs, outputs, bias=bias, device="meta"), "linear", tensors)
    skip: nn.Module | None = nn.Identity() if residual else None
    if projected:
        skip = _filled(nn.Linear(inputs, outputs, bias=False, device="meta"), "residual", tensors)
    return Stage(Dense(linear, _ACTIVATIONS[activation](), skip), settings.where, inputs, outputs)


def _only_vectors(settings: _Settings) -> None:
    """Refuse a step that works on the states of tokens, or beside the one vector of a text."""
    settings.require("module_input_name", ["sentence_embedding", None])
    settings.require("module_output_name", ["sentence_embedding", None])


def _tensors(folder: Folder, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors of a step's folder in float32: these and no others, checked before anything is made of them."""
    entries = read_tensors(folder)
    faults = [f"{name} is missing" for name in shapes if name not in entries]
    faults += [f"{shown(name)} is unknown" for name in entries if name not in shapes]
    for name, shape in shapes.items():
        if name in entries and entries[name].shape != shape:
            faults.append(f"{name} has shape {entries[name].shape}, expected {shown(shape)}")
        elif name in entries and not entries[name].dtype.is_floating_point:
            faults.append(f"{name} is {entries[name].dtype}, expected numbers with a fraction")
    if faults:
        raise CheckpointError(f"{folder.label}: {'; '.join(faults)}")
    tensors = {name: entries[name].load().float() for name in shapes}
    if infinite := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"{folder.label}: {', '.join(infinite)} holds nan or inf; the file is damaged")
    return tensors


def _filled(module: _Module, name: str, tensors: Mapping[str, Tensor]) -> _Module:
    """The module, built without memory, with the tensors that are stored under its name."""
    own = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    module.load_state_dict(own, assign=True)
    return module


_KNOWN = ("Transformer", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout")
