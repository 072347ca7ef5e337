"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this kernel is named in ``exceptions``, with the reason.
"""

from tfx_testing import AttentionChecks, PluginChecks


class TestAttention(AttentionChecks):
    """Masks, types, gradients, weights that are shown, and small models with the kernel."""

    attention = "example-attention"


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-attention"
