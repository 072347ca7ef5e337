"""The head by the kit: what holds of every head, and of every distribution of a plugin."""

from typing import ClassVar

from tfx_testing import HeadChecks, PluginChecks


class TestCRF(HeadChecks):
    """On the kit's toy encoder; labels are those of a token classifier."""

    head = "crf"
    exceptions: ClassVar = {
        "test_a_text_is_the_same_alone_and_in_a_batch_in_any_type": "its scores are sums over a text, kept in float32",
        "test_where_no_label_counts_the_loss_is_zero_with_gradients_and_a_warning": (
            "two sums that are equal differ in their gradients by rounding"
        ),
    }
    labels = staticmethod(lambda head, token_labels, generator: {"labels": token_labels.clamp(max=1)})


class TestPlugin(PluginChecks):
    """The distribution as it is installed."""

    distribution = "tfx-crf"
