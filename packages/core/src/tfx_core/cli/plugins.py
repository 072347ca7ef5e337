"""``tfx-core plugins``: what is installed, what it provides, and what is wrong with it."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import click

from tfx_core.cli import commands
from tfx_core.cli.output import print_json, print_table, say, strangers_on_stderr
from tfx_core.errors import traced
from tfx_core.habits import nearest
from tfx_core.plugins.checking import faults_of
from tfx_core.plugins.discovery import Plugin, PluginWarning, SettingWarning
from tfx_core.plugins.distributions import normalise
from tfx_core.plugins.faults import Fault


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each plugin or wheel.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Only this plugin, or those of this distribution; repeatable."
)
@click.option("--check", is_flag=True, help="Import all that is named, and exit with 1 if anything is wrong.")
@click.argument("wheels", nargs=-1, metavar="[WHEEL]...", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, only: tuple[str, ...], check: bool, wheels: tuple[Path, ...]) -> None:
    """List the installed plugins and what they provide.

    With --check and the files of built WHEELs, these are checked as if they were installed, which they are not; their
    code is executed. With --debug before it, --check shows where a plugin failed.
    """
    debug = bool(ctx.find_root().params.get("debug"))
    if wheels and not check:
        raise click.UsageError("wheels are for --check: tfx-core plugins --check WHEEL")
    if wheels and only:
        raise click.UsageError("--only is for what is installed, and wheels are not; leave one of them out")
    wrong = _check_wheels(wheels, as_json, debug) if wheels else _list(only, check, as_json, debug)
    if check and wrong:
        ctx.exit(1)


def _list(only: Sequence[str], check: bool, as_json: bool, debug: bool) -> int:
    """List what is installed; how many problems there are."""
    with warnings.catch_warnings(), strangers_on_stderr():
        warnings.simplefilter("ignore", PluginWarning)  # the list says it all, but for names that are not in it
        warnings.simplefilter("default", SettingWarning)
        answers = commands.ask(strict=False)
        plugins = _chosen(answers.plugins, only)
        problems = faults_of(plugins, among=answers.plugins) if check else [[]] * len(plugins)
    provided = [_provided(plugin, answers) for plugin in plugins]
    count = sum(map(len, problems))
    if as_json:
        for plugin, names, faults in zip(plugins, provided, problems, strict=True):
            told = {"problems": [_in_json(fault, debug) for fault in faults]} if check else {}
            print_json(_described(plugin, names, debug=debug) | told)
    elif check:
        for plugin, faults in zip(plugins, problems, strict=True):
            for fault in faults:
                say(str(plugin.blamed(fault)))
                if debug and fault.error is not None:
                    say(traced(fault.error))
        if not count:
            say(f"nothing is wrong ({len(plugins)} plugins)")
    else:
        rows = [
            (plugin.name, plugin.distribution, plugin.version or "-", plugin.status.value, _summary(plugin, names))
            for plugin, names in zip(plugins, provided, strict=True)
        ]
        print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", "PROVIDES"), rows)
    return count


def _chosen(plugins: Sequence[Plugin], only: Sequence[str]) -> Sequence[Plugin]:
    """Those of these names; all where there are none."""
    known = {normalise(name) for plugin in plugins for name in (plugin.name, plugin.distribution)}
    for name in only:
        if normalise(name) not in known:
            close = nearest(normalise(name), known)
            meant = f"did you mean {close}?" if close else f"there are {', '.join(sorted(known))}"
            raise click.BadParameter(f"no plugin is called {name!r}; {meant}", param_hint="'--only'")
    wanted = {normalise(name) for name in only}
    return [each for each in plugins if not wanted or {each.owner, normalise(each.name)} & wanted]


def _check_wheels(paths: Sequence[Path], as_json: bool, debug: bool) -> int:
    """Check wheels; how many problems there are."""
    from tfx_core.plugins.wheels import checked

    wheels = checked(paths)
    for path, faults in wheels.items():
        if as_json:
            print_json({"wheel": str(path), "problems": [_in_json(fault, debug) for fault in faults]})
            continue
        for fault in faults:
            say(f"{path.name}: {fault}")
        if not faults:
            say(f"{path.name}: nothing is wrong")
    return sum(map(len, wheels.values()))


def _in_json(fault: Fault, debug: bool) -> dict[str, object]:
    told: dict[str, object] = {"spec": fault.spec or None, "what": fault.what, "cure": fault.cure or None}
    return told | ({"traceback": traced(fault.error) if fault.error is not None else None} if debug else {})


def _provided(plugin: Plugin, answers: commands.Answers) -> dict[str, list[str]]:
    """Plural of the kind -> names."""
    provided = {kind.plural: [spec.name for spec in specs] for kind, specs in plugin.specs.items()}
    added = [entry.name for entry in answers.added if entry.plugin.key == plugin.key]
    return provided | ({"commands": added} if added else {})


def _summary(plugin: Plugin, provided: dict[str, list[str]]) -> str:
    listed = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in provided.items() if names)
    return f"{listed} ({Fault(plugin.reason, plugin.cure)})".lstrip() if plugin.reason else listed


def _described(plugin: Plugin, provided: dict[str, list[str]], *, debug: bool) -> dict[str, object]:
    described: dict[str, object] = {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version or None,
        "target": plugin.target,
        "requires": list(plugin.requires),
        "status": plugin.status.value,
        "reason": plugin.reason or None,
        "cure": plugin.cure or None,
        "provides": provided,
    }
    return described | ({"traceback": plugin.traceback() or None} if debug else {})
