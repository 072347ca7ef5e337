"""Attention among aligned rows, reported as others report it: in the order of the text, padding included."""

from dataclasses import dataclass, field

from tfx_core.nn import PADDED, Layout, Observer, Recorder, TextObserver


@dataclass
class TextRecorder(Recorder):
    """Reports weights by the columns of the text; it fills another's lists."""

    layout: Layout = field(kw_only=True)

    @classmethod
    def of(cls, recorder: Recorder, layout: Layout) -> Recorder:
        """The recorder for what rows in a layout report; the same one where nothing was moved."""
        return recorder if layout is PADDED else cls(**vars(recorder), layout=layout)

    def observer(self, layer: int) -> Observer | None:
        """Of the self-attention of the layer that runs as number ``layer``."""
        shown = super().observer(layer)
        return None if shown is None else TextObserver.of(shown, self.layout)
