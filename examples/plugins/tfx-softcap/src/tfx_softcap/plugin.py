"""What tfx-softcap provides: ``load_model(…, attention="softcap(50)")``, for any model."""

from tfx_core import AttentionSpec, hookimpl

TFX_API = 1


@hookimpl
def tfx_attentions() -> list[AttentionSpec]:
    """One kernel; its ``example`` says that it takes an argument."""
    return [
        AttentionSpec(
            "softcap",
            target="tfx_softcap.kernel:softcap",
            example="softcap(50)",
            summary="No score is above 50 or below -50, and gradients never vanish at once",
        )
    ]
