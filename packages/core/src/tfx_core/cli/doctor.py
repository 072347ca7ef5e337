"""``tfx-core doctor``: what there is to compute with, what is wrong with it, and the command that mends it."""

import platform
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from tfx_core.cli import commands, diagnosis
from tfx_core.cli.output import print_json, print_table, say, strangers_on_stderr, styled
from tfx_core.errors import described
from tfx_core.plugins import AttentionSpec, LinearSpec
from tfx_core.plugins.discovery import Plugin, PluginWarning
from tfx_core.plugins.distributions import installed_version
from tfx_core.plugins.faults import Fault, reinstall

if TYPE_CHECKING:
    from tfx_core.nn import AttentionKernel

_LIBRARIES = ("torch", "tokenizers", "safetensors", "numpy")


@dataclass
class _Found:
    """All that is told, in its order."""

    versions: dict[str, str]
    machine: dict[str, Any]
    settings: dict[str, str]
    plugins: list[dict[str, Any]]
    wrong: list[Fault]
    """What makes the exit code."""

    advice: list[Fault]
    kernels: list[dict[str, Any]] = field(default_factory=list)
    """Of packed weights."""

    attentions: list[dict[str, Any]] = field(default_factory=list)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Show versions, this machine, its kernels and the plugins, what is wrong and the command that mends it.

    It ends with exit code 1 if anything is wrong; what it only advises is not. Kernels are tried, and what else plugins
    name is not imported: tfx-core plugins --check does that.
    """
    with warnings.catch_warnings(), strangers_on_stderr():
        warnings.simplefilter("ignore", PluginWarning)  # all of it is in the answer
        found = _examined(commands.ask(strict=False).plugins)
    if as_json:
        print_json(vars(found) | {"wrong": _in_json(found.wrong), "advice": _in_json(found.advice)})
    else:
        _print(found)
    if found.wrong:
        ctx.exit(1)


def _examined(plugins: Sequence[Plugin]) -> _Found:
    libraries = {name: installed_version(name) or "not installed" for name in _LIBRARIES}
    found = _Found(
        versions={"python": platform.python_version(), **diagnosis.versions_of_ours(plugins), **libraries},
        machine={"processor": platform.machine(), "processors": diagnosis.processors()},
        settings=diagnosis.settings(),
        plugins=[_described(plugin) for plugin in plugins],
        wrong=[
            *diagnosis.wrong_with_plugins(plugins),
            *diagnosis.wrong_with_versions(plugins),
            *diagnosis.wrong_with_entry_points(),
            *diagnosis.wrong_with_settings(plugins),
        ],
        advice=[*diagnosis.advice(plugins)],
    )
    faults = list(_not_imported())
    if faults:
        found.wrong += faults
        return found
    _add_machine(found)
    _add_linears(found, plugins)
    _add_attentions(found, plugins)
    return found


def _not_imported() -> Iterator[Fault]:
    """Of the libraries that the core needs to compute, those that are there and do not work, or are not."""
    for name in _LIBRARIES:
        try:
            import_module(name)
        except Exception as error:  # one that does not fit the system raises OSError, and others what they like
            yield Fault(f"{name} cannot be imported: {described(error)}", reinstall(name))


def _described(plugin: Plugin) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version or None,
        "status": plugin.status.value,
        "reason": plugin.reason or None,
    }


def _add_machine(found: _Found) -> None:
    import torch

    from tfx_core.nn.linears.onednn import OneDnn

    checks = {"AVX-512": "_is_avx512_supported", "VNNI": "_is_vnni_supported", "AMX": "_is_amx_tile_supported"}
    lacks = OneDnn(torch.bfloat16).missing()
    has = [name for name, check in checks.items() if getattr(torch.cpu, check, lambda: False)()]
    found.machine |= {
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "beyond": ", ".join(has) or f"none of {', '.join(checks)}",
        "bfloat16": "quick" if lacks is None else f"slow unless frozen: {lacks}",
        "threads": torch.get_num_threads(),
        "accelerator": str(torch.accelerator.current_accelerator() or "none"),
    }
    if lacks is not None:
        cure = "give --frozen with --dtype bfloat16, or --dtype int8"
        found.advice.append(Fault(f"bfloat16 is slow on this processor unless weights are frozen: {lacks}", cure))


def _add_linears(found: _Found, plugins: Sequence[Plugin]) -> None:
    """Of each type of packed weights its kernels, the preferred one first."""
    from tfx_core.model.linears import judged
    from tfx_core.plugins.targets import imported

    for plugin, spec in _specs(plugins, LinearSpec):
        kernels: Any = imported(spec, plugin)
        if isinstance(kernels, Fault):
            found.wrong.append(plugin.blamed(kernels))
            continue
        try:
            listed = judged(kernels if isinstance(kernels, Sequence) else [kernels])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's kernels are asked what they lack
            fault = Fault(f"cannot say what it lacks here: {described(error)}", spec=f"linear {spec.name!r}")
            found.wrong.append(plugin.blamed(fault))
            continue
        found.kernels += [
            {
                "dtype": spec.name,
                "kernel": type(each.kernel).__name__,
                "computes_in": str(each.kernel.dtype).removeprefix("torch."),
                "used": each.used,
                "lacks": each.lacks,
            }
            for each in listed
        ]


def _add_attentions(found: _Found, plugins: Sequence[Plugin]) -> None:
    """Every kernel of attention and every pattern, and whether it computes here."""
    from tfx_core.plugins.checking import kernel_of_spec

    for plugin, spec in _specs(plugins, AttentionSpec):
        kernel = kernel_of_spec(spec, plugin)
        if isinstance(kernel, Fault):
            found.wrong.append(plugin.blamed(kernel))
            lacks: str | None = kernel.what
        else:
            lacks = _lacks(kernel)
        found.attentions.append(
            {
                "attention": spec.name,
                "distribution": plugin.distribution,
                "written": spec.example or spec.name,
                "lacks": lacks,
            }
        )


def _lacks(kernel: "AttentionKernel") -> str | None:
    """What a kernel says when it attends to a few tokens where models run by default; ``None`` where it works."""
    import torch

    from tfx_core.nn import Patterned

    if isinstance(kernel, Patterned):
        return None  # a model draws a pattern for its own tokens, around the default kernel
    device = torch.accelerator.current_accelerator() or "cpu"
    try:
        query, key, value = torch.ones(3, 1, 2, 4, 8, device=device)
        kernel(query, key, value, None, scale=1.0, dropout=0.0, observer=None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's kernel raises what it likes
        return described(error)
    return None


def _specs(plugins: Sequence[Plugin], kind: type[Any]) -> list[tuple[Plugin, Any]]:
    return [(plugin, spec) for plugin in plugins for spec in plugin.specs.get(kind, ())]


def _in_json(faults: Sequence[Fault]) -> list[dict[str, str | None]]:
    return [{"what": each.what, "cure": each.cure or None} for each in faults]


def _print(found: _Found) -> None:
    for title, rows in (("VERSION OF", found.versions), ("MACHINE", found.machine)):
        _table((title, ""), [(name, str(value)) for name, value in rows.items()])
    told = [(name, value, diagnosis.SETTINGS[name]) for name, value in found.settings.items()]
    _table(("SETTING", "VALUE", "WHAT IT SAYS"), told)
    rows_of_kernels = [(each["dtype"], each["kernel"], each["computes_in"], _use(each)) for each in found.kernels]
    _table(("FROZEN DTYPE", "KERNEL", "COMPUTES IN", "USED"), rows_of_kernels)
    attentions = [
        (each["written"], each["distribution"], "yes" if each["lacks"] is None else f"no: {each['lacks']}")
        for each in found.attentions
    ]
    _table(("ATTENTION", "DISTRIBUTION", "WORKS"), attentions)
    plugins = [
        (each["name"], each["distribution"], each["version"] or "-", each["status"], each["reason"] or "")
        for each in found.plugins
    ]
    _table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", ""), plugins)
    for title, faults in (("ADVICE", found.advice), ("WRONG", found.wrong)):
        if faults:
            click.echo(styled(title, bold=True))
        for fault in faults:  # whole lines, for the commands are there to be copied
            say(fault.what)
            say(f"    {fault.cure}")
        if faults:
            click.echo()
    if not found.wrong:
        say("nothing is wrong")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        print_table(header, rows)
        click.echo()


def _use(kernel: dict[str, Any]) -> str:
    if kernel["used"]:
        return "yes"
    return f"no: {kernel['lacks'] or 'the one above is preferred'}"
