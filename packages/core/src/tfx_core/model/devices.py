"""Devices by their names, tried before anything is loaded for them."""

import torch

from tfx_core.errors import InputError, shown
from tfx_core.habits import nearest

_MOST_NAMED = 16


def device_of(name: "str | int | torch.device") -> torch.device:
    """The device of a name, or of a number as pipelines count: ``0`` is the first accelerator, ``-1`` the CPU.

    ``"auto"`` is the accelerator, where there is none the CPU.
    Raises `InputError` that names the devices of this machine for one that it does not have.
    """
    try:
        device = _named(name)
        torch.empty(0, device=device)  # a name that torch knows can be a device that this machine lacks
    except KeyboardInterrupt:
        raise
    except Exception:  # each backend has errors of its own
        known = [*devices(), "auto"]
        close = nearest(str(name), known)
        meant = f"; did you mean {close!r}?" if close else ""
        said = str(name) if isinstance(name, torch.device) else name
        raise InputError(f"device={shown(said)}: on this machine it is one of {', '.join(known)}{meant}") from None
    return device


def devices() -> list[str]:
    """The names of the devices that this machine computes on."""
    kind = _accelerator()
    if kind is None:
        return ["cpu"]
    count: int = getattr(torch, kind).device_count()
    return ["cpu", kind, *(f"{kind}:{number}" for number in range(min(count, _MOST_NAMED)) if count > 1)]


def _named(name: object) -> torch.device:
    if isinstance(name, torch.device):
        return name
    text = str(name)
    if text in ("-1", "auto"):
        return torch.device((text == "auto" and _accelerator()) or "cpu")
    return torch.device(f"{_accelerator()}:{text}" if text.isascii() and text.isdigit() else text)


def _accelerator() -> str | None:
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return None if device is None else device.type
