"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this task is named in ``exceptions``, with the reason.
"""

from tfx_testing import PluginChecks, TaskChecks


class TestTask(TaskChecks):
    """Inputs of every form, options, batches and the command line, with a small model that comes with the checks."""

    task = "example-task"
    inputs = ("a text", "another one", "a much longer text than these")


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-task"
