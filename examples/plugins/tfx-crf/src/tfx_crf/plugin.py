"""What tfx-crf provides: one head, for every architecture that has a state of each token."""

from tfx_core import HeadSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_heads() -> list[HeadSpec]:
    """``head="crf"``, which serves the task token-classification."""
    return [
        HeadSpec(
            "crf",
            target="tfx_crf.head:CRF",
            capability="token-states",
            serves=("token-classification",),
            summary="Labels the tokens of a text together: a linear-chain CRF",
        )
    ]
