"""``tfx-core plugins``: what is installed, what it provides, and what is wrong with it."""

import warnings
from dataclasses import replace

import click

from tfx_core.cli import commands
from tfx_core.cli.output import print_json, print_table, say, strangers_on_stderr
from tfx_core.plugins.discovery import Plugin, PluginWarning, SettingWarning, with_targets


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each plugin.")
@click.option("--check", is_flag=True, help="Import all that is named, and exit with 1 if anything is wrong.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, check: bool) -> None:
    """List the installed plugins and what they provide.

    With ``--debug`` before it, ``--check`` shows where a plugin failed.
    """
    debug = bool(ctx.find_root().params.get("debug"))
    with warnings.catch_warnings(), strangers_on_stderr():
        warnings.simplefilter("ignore", PluginWarning)  # the list says it all, but for names that are not in it
        warnings.simplefilter("default", SettingWarning)
        answers = commands.ask(strict=False)
        if check:
            answers = replace(answers, plugins=[*map(with_targets, answers.plugins)])
    problems = [plugin for plugin in answers.plugins if plugin.problem]
    provided = [_provided(plugin, answers) for plugin in answers.plugins]
    if as_json:
        for plugin, names in zip(answers.plugins, provided, strict=True):
            print_json(_described(plugin, names, debug=debug))
    elif check:
        for plugin in problems:
            say(plugin.outcome)
            if debug and plugin.error is not None:
                say(plugin.traceback())
        if not problems:
            say(f"nothing is wrong ({len(answers.plugins)} plugins)")
    else:
        rows = [
            (plugin.name, plugin.distribution, plugin.version or "-", plugin.status.value, _summary(plugin, names))
            for plugin, names in zip(answers.plugins, provided, strict=True)
        ]
        print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATUS", "PROVIDES"), rows)
    if check and problems:
        ctx.exit(1)


def _provided(plugin: Plugin, answers: commands.Answers) -> dict[str, list[str]]:
    """Plural of the kind -> names."""
    provided = {kind.plural: [spec.name for spec in specs] for kind, specs in plugin.specs.items()}
    added = [entry.name for entry in answers.added if entry.plugin.key == plugin.key]
    return provided | ({"commands": added} if added else {})


def _summary(plugin: Plugin, provided: dict[str, list[str]]) -> str:
    listed = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in provided.items() if names)
    return f"{listed} ({plugin.reason})".lstrip() if plugin.reason else listed


def _described(plugin: Plugin, provided: dict[str, list[str]], *, debug: bool) -> dict[str, object]:
    described: dict[str, object] = {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version or None,
        "target": plugin.target,
        "requires": list(plugin.requires),
        "status": plugin.status.value,
        "reason": plugin.reason or None,
        "provides": provided,
    }
    return described | ({"traceback": plugin.traceback() or None} if debug else {})
