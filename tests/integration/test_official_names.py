"""The table of official names, which tells a user what to install, agrees with what the distributions provide."""

from tfx_core.cli import commands
from tfx_core.plugins import discovery, official


def test_every_name_that_an_installed_official_distribution_provides_is_in_the_table() -> None:
    families = [plugin for plugin in commands.ask().plugins if plugin.distribution in official.NAMES]
    assert families, "no family is installed"
    for plugin in families:
        assert plugin.status is discovery.Status.LOADED, plugin.outcome
        for kind, specs in plugin.specs.items():
            for spec in specs:
                assert official.distribution_of(kind.kind, spec.name) == plugin.distribution, f"{kind.kind} {spec.name}"
    for added in commands.ask().added:
        if added.plugin.distribution in official.NAMES:
            assert official.distribution_of("command", added.name) == added.plugin.distribution, added.name


def test_every_name_in_the_table_is_provided() -> None:
    there = {
        (kind.kind, spec.name)
        for plugin in commands.ask().plugins
        for kind in plugin.specs
        for spec in plugin.specs[kind]
    }
    there |= {("command", added.name) for added in commands.ask().added}
    for kinds in official.NAMES.values():
        for kind, names in kinds.items():
            assert all((kind, name) in there for name in names)
