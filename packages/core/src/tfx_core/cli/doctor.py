"""``tfx-core doctor``: what this machine has for a model to compute with."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from tfx_core.cli.output import print_json, print_table

_LIBRARIES = ("tfx-core", "torch", "tokenizers", "safetensors", "numpy")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Show versions, what the processor can do, and which kernel each type of packed weights has here."""
    versions = {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}}
    machine, kernels = _machine(), list(_kernels())
    if as_json:
        print_json({"versions": versions, "machine": machine, "kernels": kernels})
        return
    for title, rows in (("VERSION OF", versions), ("MACHINE", machine)):
        print_table((title, ""), [(name, str(value)) for name, value in rows.items()])
        click.echo()
    told = [(each["dtype"], each["kernel"], each["computes_in"], _use(each)) for each in kernels]
    print_table(("FROZEN DTYPE", "KERNEL", "COMPUTES IN", "USED"), told)


def _use(kernel: dict[str, Any]) -> str:
    if kernel["used"]:
        return "yes"
    return f"no: {kernel['lacks'] or 'the one above is preferred'}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> dict[str, Any]:
    import torch

    from tfx_core.nn.linears.onednn import OneDnn

    checks = {"AVX-512": "_is_avx512_supported", "VNNI": "_is_vnni_supported", "AMX": "_is_amx_tile_supported"}
    lacks = OneDnn(torch.bfloat16).missing()
    has = [name for name, check in checks.items() if getattr(torch.cpu, check, lambda: False)()]
    return {
        "processor": platform.machine(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "beyond": ", ".join(has) or f"none of {', '.join(checks)}",
        "bfloat16": "quick" if lacks is None else f"slow unless frozen: {lacks}",
        "threads": torch.get_num_threads(),
        "accelerator": str(torch.accelerator.current_accelerator() or "none"),
    }


def _kernels() -> Iterator[dict[str, Any]]:
    """Of each type of packed weights its kernels, the preferred one first."""
    from tfx_core.model.linears import kernels_here
    from tfx_core.plugins import LinearSpec, registry

    for entry in registry.specs(LinearSpec):
        for each in kernels_here(entry.qualified):
            yield {
                "dtype": entry.spec.name,
                "kernel": type(each.kernel).__name__,
                "computes_in": str(each.kernel.dtype).removeprefix("torch."),
                "used": each.used,
                "lacks": each.lacks,
            }
