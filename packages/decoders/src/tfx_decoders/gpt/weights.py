"""How the checkpoints of both name tensors: their linear layers are stored transposed (Conv1D)."""

from tfx_core.checkpoint import Rename, Transpose


def conv1d(theirs: str, ours: str) -> tuple[Transpose, Rename]:
    """The rules of a linear layer."""
    return Transpose(theirs + ".weight", ours + ".weight"), Rename(theirs + ".bias", ours + ".bias")
