"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this task is named in ``exceptions``, with the reason.
"""

from tfx_testing import PluginChecks, TaskChecks


class TestTask(TaskChecks):
    """Inputs of every form, options, batches and the command line, with a small model that comes with the checks."""

    task = "example-task"
    # with inputs = (…) where the task reads something else than texts


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-task"
