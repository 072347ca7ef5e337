"""The distribution by the kit."""

from tfx_testing import PluginChecks


class TestPlugin(PluginChecks):
    """As it is installed."""

    distribution = "tfx-keyphrases"
