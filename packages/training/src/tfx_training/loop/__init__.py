"""The training itself, for any objective, on whatever devices and processes `accelerate` finds.

``train(objective, models, corpus, folder, settings=…, held_out=…)`` updates the models, and leaves them in ``folder``
as `tfx_core.load_model` and transformers read them, beside a log of numbers and checkpoints to go on from.
"""

from tfx_training.loop.training import Trained, train

__all__ = ["Trained", "train"]
