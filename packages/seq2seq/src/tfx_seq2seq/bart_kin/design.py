"""In what the relatives of BART differ, as a value."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tfx_core.nn import OffsetPositions, SinusoidalPositions
from tfx_seq2seq.backbone import Shift, after_start_token
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.bart_kin.tables import ONE_TABLE, Tables

Residual = Callable[[nn.Module, nn.Module, float], nn.Module]
"""``(sublayer, norm, dropout)`` -> the sublayer in its residual: `tfx_core.nn.PostNorm` or ``PreNorm``."""

_UNUSED_ROWS = 2  # the released models' tables begin with two rows of padding


def learned_positions(config: BartKinConfig) -> nn.Module:
    """A table that is trained."""
    return OffsetPositions(config.max_position_embeddings, config.d_model, _UNUSED_ROWS)


def sinusoidal_positions(config: BartKinConfig) -> nn.Module:
    """A table of all sines, then all cosines."""
    return SinusoidalPositions(config.max_position_embeddings, config.d_model, halves=True)


@dataclass(frozen=True)
class Design:
    """One relative."""

    residual: Residual
    """Where a layer's norms are."""

    positions: Callable[[BartKinConfig], nn.Module]
    """What makes the positions of each side; of `sinusoidal_positions` checkpoints may store none."""

    embedding_norm: bool
    """Whether embeddings are normalised."""

    final_norm: bool
    """Whether what the last layer gives is normalised."""

    shift: Shift = after_start_token
    """What makes the decoder's input of a target, or of the source where there is none."""
    tables: Tables = ONE_TABLE
    """The token tables of both sides."""
