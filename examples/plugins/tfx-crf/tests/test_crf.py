"""The head by the kit: what holds of every head, and of every distribution of a plugin."""

from tfx_testing import HeadChecks, PluginChecks


class TestCRF(HeadChecks):
    """On the kit's toy encoder; labels are those of a token classifier."""

    head = "crf"
    labels = staticmethod(lambda head, token_labels, generator: {"labels": token_labels.clamp(max=1)})


class TestPlugin(PluginChecks):
    """The distribution as it is installed."""

    distribution = "tfx-crf"
