"""From the tensors of a checkpoint to a module, by a table of names."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tfx_core.checkpoint.naming import tensors_of
from tfx_core.checkpoint.rules import Computed, Rename, WeightRule
from tfx_core.checkpoint.table import WeightTable
from tfx_core.checkpoint.weight_file import TensorEntry
from tfx_core.errors import CheckpointError, in_one_line

_log = logging.getLogger("tfx_core")
_AFRESH, _AFRESH_FOR_EACH = 64 << 20, 8
"""Bytes that may be initialised afresh: so many, and for each byte of the checkpoint."""

_FAULTS = 50
"""How many of a checkpoint's faults are listed; more are counted."""


@dataclass(eq=False)
class _Slot:
    """A parameter or buffer of ours and where it comes from."""

    names: list[str]
    """More than one where the module itself uses one parameter in several places."""

    meta: Tensor
    part: str
    rule: WeightRule
    sources: tuple[str, ...]
    """Names in the checkpoint, as the rules spell them."""

    entries: list[TensorEntry] = field(default_factory=list)
    """The sources that the checkpoint has; some but not all is an error."""

    same_as: "_Slot | None" = None
    """The slot that this one is tied to."""

    @property
    def is_complete(self) -> bool:
        return len(self.entries) == len(self.sources)

    @property
    def is_computed(self) -> bool:
        """Whether the config says what the checkpoint lacks."""
        return isinstance(self.rule, Computed) and not self.entries


@dataclass(frozen=True)
class Packing:
    """What becomes of modules once they are filled: one by one, so that little is held twice."""

    modules: Collection[str]
    """Names of those that are to be packed."""
    pack: Callable[[str], object]
    """Called with one of the names as soon as all tensors of the module are there, unless one is another's, too."""
    types: Mapping[str, torch.dtype]
    """Names of tensors that get a type of their own."""


def load_weights(
    module: nn.Module,
    tensors: Mapping[str, TensorEntry],
    table: WeightTable,
    *,
    head: str,
    stored_heads: Collection[str] = (),
    ties: Iterable[tuple[str, str]] = (),
    apart: Collection[str] = (),
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    initialise: Callable[[nn.Module, Collection[str]], object] | None = None,
    label: str = "checkpoint",
    unread: Collection[str] = (),
    resized: bool = False,
    sizes: Mapping[str, int] | None = None,
    packing: Packing | None = None,
) -> None:
    """Fill a module that was built on the meta device, every parameter and buffer once.

    A parameter of the file's type on the CPU is the mapped file itself, any other a copy. Training does not change the
    file, and saving over it replaces it; only a program that truncates it in place would break the model.
    Floating-point tensors become ``dtype``, or stay as they are stored with ``None``.

    A part of the table that the checkpoint lacks altogether is left to ``initialise(module, names of ours)``, and a
    one-line warning says so, but for parts that are ``unread`` all the same; it is an error where one of
    ``stored_heads`` has that part, or every head of the table does. So is, without a warning, what is `Computed`.
    ``initialise`` meets every other parameter still on the meta device, so it cannot overwrite what comes from the
    checkpoint. Tensors that only other heads need are left out.

    With ``resized``, so are parameters that the checkpoint has in another shape.

    Modules of a ``packing`` are packed as they are filled; their tensors are read, not mapped.

    ``ties`` are pairs of our parameters, the one to store second. They become one parameter where the checkpoint has
    only one of them or has two that are equal, and stay two where it has two that differ, or any two of which
    ``apart`` names the first.

    Raises one `CheckpointError` that lists the missing, unexpected and misshapen tensors, up to fifty, and counts them
    all; with those of another shape it names the ``sizes``, keys of the config, that ask for the one of the module.
    """
    slots = _slots(module, table, head)
    found = _found(tensors, table, label)
    faults: list[str] = []
    for slot in slots:
        entries = (_source(name, found, table, faults) for name in slot.sources)
        slot.entries = [entry for entry in entries if entry is not None]
    lacking = _lacking_parts(slots, table, head, stored_heads)
    for slot in slots:
        if slot.part in lacking:
            slot.entries = []
    _tie(slots, ties, apart)
    own = [slot for slot in slots if slot.same_as is None]
    new = [slot for slot in own if slot.part in lacking or slot.is_computed]
    filled = [slot for slot in own if slot not in new]
    faults += _missing(filled if initialise is not None else filled + new)
    others = [slot for slot in filled if resized and _is_resized(slot)]
    filled = [slot for slot in filled if slot not in others]
    faults += _misshapen(filled, sizes or {})
    faults += _unexpected(found, slots, table, head)
    if faults:
        more = [f"… and {len(faults) - _FAULTS} more"] if len(faults) > _FAULTS else []
        lines = "\n  ".join([*(in_one_line(fault, 400) for fault in faults[:_FAULTS]), *more])
        raise CheckpointError(
            f"{label}: its tensors do not fit its config.json with head {head!r} ({len(faults)} faults); correct the "
            f"config or choose another head{_or_resized(faults)}:\n  {lines}"
        )

    device = torch.device(device)
    afresh = new + others
    if afresh and initialise is not None:
        _check_afresh(afresh, found, head, label)
        _initialise(module, afresh, dtype or _stored_dtype(filled), device, initialise)
        told = [slot for slot in new if slot.part not in unread and not slot.is_computed]
        _tell_afresh(told, others, label)
    types = {} if packing is None else packing.types
    waiting = {} if packing is None else _unshared(slots, packing.modules)
    for slot in filled:
        kind = next((types[name] for name in slot.names if name in types), dtype)
        owner = _owner(slot.names[0])
        missing = waiting.get(owner)  # of a module that is packed
        _place(module, slot, _filled(slot, kind, device, mapped=missing is None))
        if packing is not None and missing is not None:
            missing.discard(slot.names[0])
            if not missing:
                packing.pack(owner)
    for slot in slots:
        if slot.same_as is not None:
            _share(module, slot, _root(slot))


def _or_resized(faults: Collection[str]) -> str:
    only = all(fault.startswith("misshapen") for fault in faults)
    return ", or let ignore_mismatched_sizes=True initialise these afresh" if only else ""


def _check_afresh(slots: list[_Slot], found: Mapping[str, TensorEntry], head: str, label: str) -> None:
    """Raise `CheckpointError` where far more is to be initialised than there is in the checkpoint."""
    stored, asked = sum(entry.nbytes for entry in found.values()), sum(slot.meta.nbytes for slot in slots)
    if asked > _AFRESH + _AFRESH_FOR_EACH * stored:
        raise CheckpointError(
            f"{label}: has {stored} bytes, and its config.json with head {head!r} asks for {asked} more, "
            f"for {_listed(slots)}; correct the config or choose another head"
        )


def _tell_afresh(lacking: list[_Slot], resized: list[_Slot], label: str) -> None:
    """A warning of one line for what the checkpoint lacks, and one for what it has in another size."""
    told = {f"has no {_listed(lacking)}": lacking, "has another size of": resized}
    for reason, slots in told.items():
        if slots:
            names = ", ".join(name for slot in slots for name in slot.names)
            reason = f"{reason}: {names}" if slots is lacking else f"{reason} {names}"
            _log.warning("%s", in_one_line(f"{label}: initialised afresh, for the checkpoint {reason}", 4_000))


def _slots(module: nn.Module, table: WeightTable, head: str) -> list[_Slot]:
    """Every parameter and buffer with its rule; raises `ValueError` where module and table do not fit together."""
    state = tensors_of(module)
    unsaved = [name for name, _ in module.named_buffers() if name not in state]
    if unsaved:
        raise ValueError(f"non-persistent buffers {unsaved} would stay empty; compute such values in forward")
    names: dict[int, list[str]] = {}
    for name, tensor in state.items():
        if not tensor.is_meta:
            raise ValueError(f"{name} is on {tensor.device}; build the module on the meta device")
        names.setdefault(id(tensor), []).append(name)
    slots, faults = [], []
    for group in names.values():
        places = [place for place in (table.find(head, name) for name in group) if place is not None]
        if len(places) == 1:
            slots.append(_Slot(group, state[group[0]], *places[0]))
        else:
            faults.append(f"{' = '.join(group)} has {len(places)} rules")  # tied modules are built untied, see ties
    if faults:
        raise ValueError(f"the weight table does not cover head {head!r}: {'; '.join(faults)}")
    return slots


def _found(tensors: Mapping[str, TensorEntry], table: WeightTable, label: str) -> dict[str, TensorEntry]:
    """The tensors by the names that the rules use."""
    try:
        return {name: tensors[own] for name, own in table.present_names(tensors).items()}
    except CheckpointError as error:
        raise CheckpointError(f"{label}: {error}") from error


def _source(name: str, found: Mapping[str, TensorEntry], table: WeightTable, faults: list[str]) -> TensorEntry | None:
    """The tensor of this name, or the one that stands for it under a second name."""
    held = [(each, found[each]) for each in (name, *table.second_names(name)) if each in found]
    source = held[0][1] if held else None
    for other, entry in held[1:]:
        assert source is not None
        if table.may_differ(other):
            continue
        blank = table.may_be_blank(other)
        if blank and source.is_blank:
            source = entry
        elif not entry.same_values(source) and not (blank and entry.is_blank):
            faults.append(f"differing {held[0][0]} and {other}: two names of one tensor, which must be equal")
    return source


def _lacking_parts(slots: list[_Slot], table: WeightTable, head: str, stored_heads: Collection[str]) -> set[str]:
    """The parts of the head that the checkpoint does not have and need not have."""
    stored = {part for each in stored_heads for part in table.heads.get(each, ())}
    required = (stored | table.common_parts) - set(table.optional)
    lacking = set()
    for part in set(table.heads[head]) - required:
        other = bool(stored) and part in table.exclusive and part not in stored
        if other or not any(slot.entries for slot in slots if slot.part == part):
            lacking.add(part)
    return lacking


def _tie(slots: list[_Slot], ties: Iterable[tuple[str, str]], apart: Collection[str]) -> None:
    """Join the slots of each pair that is to be one tensor."""
    by_name = {name: slot for slot in slots for name in slot.names}
    for name, to in ties:
        one, other = _root(by_name[name]), _root(by_name[to])
        both = bool(one.entries and other.entries)
        if one is other or one.meta.shape != other.meta.shape or (both and name in apart):
            continue
        if _are_one(one, other):
            if one.entries and not other.entries:
                other.same_as = one
            else:
                one.same_as = other


def _are_one(one: _Slot, other: _Slot) -> bool:
    if not one.entries or not other.entries:
        return True
    if type(one.rule) is not type(other.rule) or len(one.entries) != len(other.entries):
        return False
    return all(mine.same_values(its) for mine, its in zip(one.entries, other.entries, strict=True))


def _unshared(slots: list[_Slot], modules: Collection[str]) -> dict[str, set[str]]:
    """The modules of which no tensor is another's, too -> the names of their tensors."""
    shared = {id(_root(slot)) for slot in slots if slot.same_as is not None or len(slot.names) > 1}
    found: dict[str, set[str]] = {name: set() for name in modules}
    for slot in slots:
        for name in slot.names:
            if id(_root(slot)) in shared:
                found.pop(_owner(name), None)
            elif _owner(name) in found:
                found[_owner(name)].add(name)
    return found


def _root(slot: _Slot) -> _Slot:
    return slot if slot.same_as is None else _root(slot.same_as)


def _missing(slots: Iterable[_Slot]) -> Iterator[str]:
    for slot in slots:
        if not slot.is_complete:
            shapes = [tuple(view.shape) for view in slot.rule.views(slot.meta)]
            present = {entry.name for entry in slot.entries}
            for name, shape in zip(slot.sources, shapes, strict=True):
                if name not in present:
                    yield f"missing {name} {shape}, for {slot.names[0]}"


def _misshapen(slots: Iterable[_Slot], sizes: Mapping[str, int]) -> Iterator[str]:
    for slot in slots:
        if not slot.is_complete:
            continue
        for view, entry in zip(slot.rule.views(slot.meta), slot.entries, strict=True):
            if tuple(view.shape) != entry.shape:
                needed = f"{tuple(view.shape)}{_asked_by(sizes, {*view.shape} - {*entry.shape})}"
                yield f"misshapen {entry.name}: is {entry.shape}, {slot.names[0]} needs {needed}"
            elif view.dtype.is_floating_point != entry.dtype.is_floating_point:
                yield f"mistyped {entry.name}: is {entry.dtype}, {slot.names[0]} needs {view.dtype}"


def _asked_by(sizes: Mapping[str, int], numbers: Collection[int]) -> str:
    asked = [f"{key}={size}" for key, size in sizes.items() if size in numbers]
    return f", for {' and '.join(asked)}" if asked else ""


def _is_resized(slot: _Slot) -> bool:
    pairs = zip(slot.rule.views(slot.meta), slot.entries, strict=False)
    return slot.is_complete and any(tuple(view.shape) != entry.shape for view, entry in pairs)


def _unexpected(found: Mapping[str, TensorEntry], slots: list[_Slot], table: WeightTable, head: str) -> Iterator[str]:
    """The tensors that no parameter took and that the table does not know for something else."""
    sources = {name for slot in slots for name in slot.sources}
    taken = {id(entry) for slot in slots for entry in slot.entries}
    other_parts = table.parts.keys() - set(table.heads[head])
    left = ((name, entry) for name, entry in found.items() if id(entry) not in taken)
    for name, entry in left:
        if name not in sources and not table.knows(name, other_parts) and not table.ignores(name):
            yield f"unexpected {entry.name} {entry.shape}"


def _initialise(
    module: nn.Module,
    slots: list[_Slot],
    dtype: torch.dtype | None,
    device: torch.device,
    initialise: Callable[[nn.Module, Collection[str]], object],
) -> None:
    for slot in slots:
        kind = dtype if dtype is not None and slot.meta.dtype.is_floating_point else slot.meta.dtype
        _place(module, slot, torch.empty(slot.meta.shape, dtype=kind, device=device))
    with torch.no_grad():
        initialise(module, frozenset(name for slot in slots for name in slot.names))


def _stored_dtype(slots: list[_Slot]) -> torch.dtype | None:
    types = (entry.dtype for slot in slots for entry in slot.entries)
    return next((dtype for dtype in types if dtype.is_floating_point), None)


def _filled(slot: _Slot, dtype: torch.dtype | None, device: torch.device, *, mapped: bool) -> Tensor:
    """The values of a slot, in memory of its own, or in that of the file where they may be ``mapped``."""
    stored = slot.entries[0].dtype
    wanted = dtype if dtype is not None and stored.is_floating_point else stored
    if mapped and type(slot.rule) is Rename and wanted == stored and device.type == "cpu":
        return slot.entries[0].load()
    tensor = torch.empty(slot.meta.shape, dtype=wanted, device=device)
    for view, entry in zip(slot.rule.views(tensor), slot.entries, strict=True):
        entry.copy_into(view)
    return tensor


def _place(module: nn.Module, slot: _Slot, tensor: Tensor) -> None:
    if isinstance(slot.meta, nn.Parameter):
        tensor = nn.Parameter(tensor, requires_grad=slot.meta.requires_grad)
    _set(module, slot.names, tensor)


def _set(module: nn.Module, names: Collection[str], tensor: Tensor) -> None:
    for name in names:
        owner, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(owner), attribute, tensor)


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _share(module: nn.Module, slot: _Slot, root: _Slot) -> None:
    owner, _, attribute = root.names[0].rpartition(".")
    _set(module, slot.names, getattr(module.get_submodule(owner), attribute))


def _listed(slots: list[_Slot]) -> str:
    return ", ".join(dict.fromkeys(slot.part for slot in slots))
