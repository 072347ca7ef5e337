"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this index is named in ``exceptions``, with the reason.
"""

from tfx_testing import IndexChecks, PluginChecks


class TestIndex(IndexChecks):
    """What is written and found again, filters, order, options, and folders that are damaged."""

    index = "example-index"


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-index"
