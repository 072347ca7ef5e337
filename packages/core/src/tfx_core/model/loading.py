"""From a folder, a hub id or a name to a model or a tokenizer."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import (
    Folder,
    TensorFiles,
    load_weights,
    read_tensors,
    read_whole,
    taken_hub_options,
    tensors_of,
    unfilled_modules,
)
from tfx_core.errors import CheckpointError, ConfigError, InputError, TfxError, UnknownNameError, cleaned, shown
from tfx_core.fields import checked
from tfx_core.habits import hint, understands
from tfx_core.model.architecture import Architecture
from tfx_core.model.attentions import AttentionChoice, kernel_of
from tfx_core.model.config import ModelConfig, named_architecture
from tfx_core.model.devices import device_of
from tfx_core.model.joining import joined_config, take_over
from tfx_core.model.linears import dtype_of, kernel_for
from tfx_core.model.model import Model
from tfx_core.model.states import config_of_state, files_of_state
from tfx_core.plugins import ArchitectureSpec, registry
from tfx_core.text import Tokenizer, family_of, read_tokenizer

_log = logging.getLogger("tfx_core")
_SIZES = ("vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings")
_CLASSES = frozenset({"num_labels", "id2label", "label2id"})
_MOST_AFRESH, _MOST_NEW = 1000, 100_000
"""Tensors that a model may have beside those of its checkpoint, and that a new model may have."""


@understands("load_model")
def load_model(
    path: str | Path | Folder,
    *,
    head: str | None = None,
    dtype: str | torch.dtype = "float32",
    device: str | int | torch.device = "cpu",
    attention: AttentionChoice = "sdpa",
    frozen: bool | None = None,
    config: ModelConfig | Mapping[str, Any] | None = None,
    variant: str | None = None,
    ignore_mismatched_sizes: bool = False,
    provider: str | None = None,
    reads: str | None = None,
    **overrides: Any,
) -> Model:
    """Load a checkpoint folder (also one that is open already) or hub id, in evaluation mode.

    ``head`` is by default what ``config.json`` says under ``architectures``; one that the checkpoint lacks is
    initialised afresh, which a one-line warning reports; so are, with ``ignore_mismatched_sizes``, parameters that it
    has in another size. ``dtype`` may be ``"auto"``: as stored; ``device`` too: an accelerator where there is one.
    With ``frozen`` it is for inference on a CPU alone, and faster: its linear layers are packed once, as the kernels of
    this machine want them, by the type of weights that ``dtype`` names, one that a `tfx_core.LinearSpec` provides:
    ``"float32"``, ``"bfloat16"``, or ``"int8"``, of which there are frozen models only; what is computed between them
    is in the type of the kernel (`tfx_core.nn.LinearKernel`).
    ``attention`` is a kernel, or a pattern that says which tokens see each other, such as ``Window(128, 128)``, or the
    name of one: ``"eager"``, ``"window(128)"`` (`tfx_core.model.attention_of`).
    ``config`` stands in the place of the folder's, ``variant`` is a part of the names of weight files.

    ``overrides`` are fields of the config, such as ``num_labels=5``, and `tfx_core.checkpoint.HubOptions`, such as
    ``revision="v1.0"``; keywords of transformers' ``from_pretrained`` are understood as `tfx_core.habits` says.
    ``provider`` is the distribution whose architecture it is to be, of several that give the folder's ``model_type``.
    ``reads`` is the one capability of the backbone, ``"token-states"``, that is read where there is no head: of parts
    that only others need, and the checkpoint lacks, there is no warning. Raises `ConfigError`, `CheckpointError`,
    `HubError`, `PluginError` or `UnknownNameError`, each naming what is wrong and what would do.
    """
    device = device_of(device)
    kernel = kernel_for(dtype, frozen, device)
    kind = dtype_of(dtype) if kernel is None else kernel.dtype
    checked(head, str | None, "head", InputError)
    hub = taken_hub_options(overrides)
    opened = read_whole(path, lambda folder: _open(folder, provider, head, variant), **hub)
    architecture, stored = opened.architecture, opened.head
    settings = opened.config if config is None else _config_in_place(config, opened)
    classes = "" if head is not None else ", ".join(sorted(overrides.keys() & _CLASSES))
    head = stored or "backbone" if head is None else head
    with _naming(_config_file(opened.folder), settings.tfx_head if head == stored else None):
        plan = architecture.plan(head)
        if head != stored:
            settings = plan.adapt(settings)
    settings = settings.replace(**overrides)
    with _naming(_config_file(opened.folder)):
        most = len(opened.tensors) + _MOST_AFRESH
        model = _empty_model(architecture, settings, head, attention, opened.generation_config, most)
    if classes and not _has_classes(model):
        cure = hint("load_model", "num_labels=2 where nothing has classes")
        raise InputError(f"{opened.folder.label}: {classes}: the checkpoint's head, {head!r}, has no classes; {cure}")
    model.origin = opened.folder.label
    model.config.update({"name_or_path": opened.folder.label})
    load_weights(
        model,
        opened.tensors,
        model.weight_table,
        head=head,
        stored_heads=() if stored is None else (stored,),
        ties=model.ties,
        apart=[name for name, _ in model.ties if not model.begins_tied(name)],
        dtype=kind,
        device=device,
        resized=ignore_mismatched_sizes,
        initialise=lambda module, names: _initialise(module, settings, names),
        label=opened.folder.label,
        unread=architecture.unread(reads) if head == "backbone" else (),
        sizes=_sizes_of(settings),
        packing=None if kernel is None else model.packing(kernel),
    )
    if kernel is not None:
        model.freeze(kernel)
    return model.eval()


@understands("new_model")
def new_model(
    model_type: str,
    *,
    head: str = "backbone",
    dtype: str | torch.dtype = "float32",
    device: str | int | torch.device = "cpu",
    attention: AttentionChoice = "sdpa",
    seed: int | None = None,
    provider: str | None = None,
    parts: Mapping[str, Model | str | Path] | None = None,
    **config: Any,
) -> Model:
    """A model of this architecture with the paper's initialisation, in training mode.

    One that is made of others takes over ``parts``: the name of each -> a model, or the folder or hub id of one.

    ``model_type`` may be ``"distribution:name"``, or ``provider`` say the distribution, where several give the name.
    ``config`` are the keys of its ``config.json``; an unknown one is a `TypeError`. The same ``seed`` gives the same
    weights; torch's global generator is left alone when one is given.
    """
    if hasattr(model_type, "model_type"):  # a config, whoever's
        raise InputError(f"new_model: {hint('new_model', 'new_model(config)')}")
    device, kind = device_of(device), dtype_of(dtype)
    checked(head, str, "head", InputError)
    architecture = load_architecture(model_type, provider=provider)
    given = {name: load_model(part) if isinstance(part, str | Path) else part for name, part in (parts or {}).items()}
    config = {**joined_config(architecture, given), **config}
    settings = architecture.plan(head).adapt(architecture.config.of(**config)).replace(**config)
    model = _empty_model(architecture, settings, head, attention, None, _MOST_NEW)
    with _sizes():
        # as to_empty does it, which of tensors without values is slow, and imports a lot
        model._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu"))
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    _initialise(model, settings, None, generator)
    model.tie_weights()
    take_over(model, given)
    return model.to(device=device, dtype=kind)


@understands("load_tokenizer")
def load_tokenizer(path: str | Path | Folder, *, provider: str | None = None, **options: Any) -> Tokenizer:
    """The tokenizer of a checkpoint folder or hub id: its ``tokenizer.json``, else the family's released files.

    ``provider`` is as for `load_model`. ``options`` are those of `Tokenizer`, of the family's recipe and
    `tfx_core.checkpoint.HubOptions`. Raises `TextError` naming the file and the cure.
    """
    hub = taken_hub_options(options)
    return read_whole(path, lambda folder: _read_tokenizer(folder, provider, options), **hub)


def load_architecture(model_type: str, *, provider: str | None = None) -> Architecture[Any]:
    """What a ``model_type`` stands for; raises `UnknownNameError` that says what to install.

    What its spec promises is what it has: `PluginError` where they differ.
    """
    return cast(Architecture[Any], registry.load(ArchitectureSpec, model_type, provider=provider))


@dataclass(frozen=True)
class _Opened:
    """All that a model needs of a checkpoint, of one save."""

    folder: Folder
    architecture: Architecture[Any]
    config: ModelConfig
    head: str | None
    generation_config: Mapping[str, Any] | None
    tensors: TensorFiles


def _open(folder: Folder, provider: str | None, asked: str | None, variant: str | None) -> _Opened:
    architecture, config = read_config(folder, provider)
    if config.unknown_keys:
        names = cleaned(", ".join(config.unknown_keys), 500)
        _log.warning("%s: keys that nothing here knows, kept and without effect: %s", _config_file(folder), names)
    head = stored_head(architecture, config, folder, asked)
    generation_config = folder.json("generation_config.json")
    tensors = files_of_state(read_tensors(folder, variant), architecture)
    return _Opened(folder, architecture, config, head, generation_config, tensors)


def _config_in_place(given: ModelConfig | Mapping[str, Any], opened: _Opened) -> ModelConfig:
    """A config that a caller gives in the place of the checkpoint's, of the same architecture."""
    if not isinstance(given, ModelConfig | Mapping):
        raise ConfigError(
            f"config={shown(given)}: must be a config of tfx_core, or a dict, as config.to_dict() gives one"
        )
    stored, theirs = opened.config, given.get("model_type") if isinstance(given, Mapping) else given.model_type
    if theirs not in (None, stored.model_type):
        raise ConfigError(f"config of model_type {shown(theirs)}: {opened.folder.label} holds a {stored.model_type}")
    return stored.from_dict(given) if isinstance(given, Mapping) else given


def _read_tokenizer(folder: Folder, provider: str | None, options: Mapping[str, Any]) -> Tokenizer:
    family = family_of(folder, registry.architectures(provider))
    model = None if family.model is None else load_architecture(family.model, provider=provider).text
    if family.files == family.model:
        files = model
    else:  # of another's vocabulary, whose giver is nobody's choice
        files = None if family.files is None else load_architecture(family.files).text
    return read_tokenizer(folder, files, None if model is None else model.facts, **options)


def read_config(folder: Folder, provider: str | None = None) -> tuple[Architecture[Any], ModelConfig]:
    """The architecture and the checked config of a folder."""
    described = folder.json("config.json")
    where = _config_file(folder)
    values = config_of_state(folder) if described is None else described
    if values is None and folder.path("adapter_config.json") is not None:
        raise CheckpointError(
            f"{folder.label}: holds an adapter and no model; load the model that it was made for, then "
            "peft.PeftModel.from_pretrained(model, folder)"
        )
    if values is None:
        raise CheckpointError(f"{where}: there is no such file; a checkpoint needs it to say what it holds")
    with _naming(where):
        name = named_architecture(values)
    with _naming(where, name, key="model_type"):
        architecture = load_architecture(name, provider=provider)
    return architecture, architecture.config.from_dict(values, where=where)


def stored_head(
    architecture: Architecture[Any], config: ModelConfig, folder: Folder, asked: str | None = None
) -> str | None:
    """The head that ``config.json`` says the checkpoint has, ``None`` if it says nothing.

    A class that is not known is an error, unless a head is ``asked`` for.
    """
    if config.tfx_head is not None:
        return config.tfx_head
    classes = architecture.spec.hf_classes
    known = [architecture.head_of(name, config) for name in config.architectures if name in classes]
    if config.architectures and not known and asked is None:
        raise ConfigError(
            f"{_config_file(folder)}: architectures={shown(list(config.architectures))}: {config.model_type} has "
            f"{', '.join(classes)}; give head= to load it all the same"
        )
    return known[0] if known else None


def _has_classes(model: Model) -> bool:
    """Whether the number of classes shapes anything."""
    other = model.unfilled(model.config.replace(num_labels=model.config.num_labels + 1)).parameters()
    return any(one.shape != another.shape for one, another in zip(model.parameters(), other, strict=True))


def _sizes_of(config: ModelConfig) -> dict[str, int]:
    """The sizes that all configs have, by the names that this one's file gives them."""
    named = {config.aliases.get(name, name): getattr(config, name, None) for name in _SIZES}
    return {name: size for name, size in named.items() if isinstance(size, int)}


def _config_file(folder: Folder) -> str:
    return f"{folder.label}/config.json"


@contextmanager
def _naming(file: str, name: str | None = None, *, key: str = "tfx_head") -> Iterator[None]:
    """Let errors of what a config file says begin with its name, those of a ``name`` in it also with the key."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error.__cause__
    except UnknownNameError as error:
        raise error if name is None else UnknownNameError(f"{file}: {key}={shown(name)}: {error}") from None


@contextmanager
def _sizes() -> Iterator[None]:
    """Let what torch says of sizes beyond all memory be a `ConfigError`."""
    try:
        yield
    except TfxError:
        raise
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise ConfigError(f"a model of these sizes cannot be built: {error}") from error


def _empty_model(
    architecture: Architecture[Any],
    config: ModelConfig,
    head: str,
    attention: AttentionChoice,
    generation_config: Mapping[str, Any] | None,
    most: int,
) -> Model:
    """The model, on the meta device; `ConfigError` where it has more than ``most`` tensors, or tensors too large."""
    kernel = kernel_of(attention)
    with _sizes(), unfilled_modules(most):
        return Model(architecture, config, head, attention=kernel, generation_config=generation_config)


def _initialise(
    model: nn.Module,
    config: ModelConfig,
    names: Iterable[str] | None,
    generator: torch.Generator | None = None,
) -> None:
    """Fill the parameters and buffers of these names, or all, as the architecture or the head's own plan does it."""
    assert isinstance(model, Model)
    wanted = set(_tensors(model, remove_duplicate=False) if names is None else names)
    blank = {name: tensor for name, tensor in _tensors(model).items() if name in wanted}
    # or what nothing fills would be whatever the memory held
    versions = {name: tensor.detach().fill_(_blank(tensor))._version for name, tensor in blank.items()}
    owners = {name.rpartition(".")[0] for name in wanted}
    for path, module in model.named_modules():
        if path in owners:
            model.fill(path, module, generator)
    filled, saved = _tensors(model), tensors_of(model)
    unfilled = [
        name
        for name, tensor in blank.items()
        if name not in saved or (filled.get(name) is tensor and _is_blank(tensor, versions[name]))
    ]
    if unfilled:
        raise TypeError(
            f"{config.model_type} with head {model.head_name!r}: no `initialise`, of the head's plan or of the "
            f"architecture, fills the new {', '.join(unfilled)}"
            + ("" if saved.keys() >= {*unfilled} else "; what no checkpoint holds is computed in forward")
        )


def _tensors(module: nn.Module, remove_duplicate: bool = True) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    kinds = (module.named_parameters, module.named_buffers)
    return {name: tensor for named in kinds for name, tensor in named(remove_duplicate=remove_duplicate)}


def _blank(tensor: Tensor) -> float:
    return torch.nan if tensor.dtype.is_floating_point or tensor.dtype.is_complex else 0


def _is_blank(tensor: Tensor, version: int) -> bool:
    """Whether some of it was not filled; integers have no value that says so, but count how often they were."""
    if math.isnan(_blank(tensor)):
        return bool(tensor.isnan().any())
    return tensor._version == version and not tensor.any()
