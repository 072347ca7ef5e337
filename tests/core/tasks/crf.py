"""The CRF of `examples/plugins/tfx-crf` under three names: in place of a token classifier, alone, out of reach."""

from tfx_core import HeadSpec, hookimpl


class Plugin:
    """Provides the head under each of them."""

    @hookimpl
    def tfx_heads(self) -> list[HeadSpec]:
        target = "tfx_crf.head:CRF"
        return [
            HeadSpec("crf", target=target, serves=("token-classification",)),
            HeadSpec("shy-crf", target=target),
            HeadSpec("seeing-crf", target=target, capability="image-state"),
        ]
