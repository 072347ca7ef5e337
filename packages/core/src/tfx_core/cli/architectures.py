"""``tfx-core architectures``: the model types that can be loaded."""

import click

from tfx_core.cli.output import print_json, print_table
from tfx_core.plugins import ArchitectureSpec, official, registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each architecture.")
@click.option("--all", "also_missing", is_flag=True, help="Also those of tfx distributions that are not installed.")
def architectures(as_json: bool, also_missing: bool) -> None:
    """List the model types that can be loaded, and their heads."""
    entries = sorted(registry.specs(ArchitectureSpec), key=lambda entry: entry.spec.name)
    installed = {entry.spec.name for entry in entries}
    missing = [name for name in official.names("architecture") if also_missing and name not in installed]
    if as_json:
        for entry in entries:
            spec = entry.spec
            print_json(
                {
                    "name": spec.name,
                    "distribution": entry.distribution,
                    "version": entry.plugin.version or None,
                    "installed": True,
                    "heads": list(spec.heads),
                    "capabilities": list(spec.capabilities),
                    "hf_classes": dict(spec.hf_classes),
                    "tokenizer_classes": list(spec.tokenizer_classes),
                    "summary": spec.summary,
                    "paper": spec.paper,
                }
            )
        for name in missing:
            distribution = official.distribution_of("architecture", name)
            print_json({"name": name, "distribution": distribution, "installed": False})
        return
    rows = [(entry.spec.name, entry.distribution, ", ".join(entry.spec.heads)) for entry in entries]
    rows += [(name, official.distribution_of("architecture", name) or "", "(not installed)") for name in missing]
    print_table(("ARCHITECTURE", "DISTRIBUTION", "HEADS"), rows)
