"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this objective is named in ``exceptions``, with the reason.
"""

from tfx_testing import ObjectiveChecks, PluginChecks


class TestObjective(ObjectiveChecks):
    """What is drawn and drawn again, batches, losses, and that a small model learns."""

    objective = "example-objective"


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-objective"
