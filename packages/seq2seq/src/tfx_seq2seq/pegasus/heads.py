"""Pegasus's heads."""

from tfx_core.model import HeadPlan
from tfx_seq2seq.bart_kin import causal_lm, conditional_generation
from tfx_seq2seq.pegasus.config import PegasusConfig

HEADS: dict[str, HeadPlan[PegasusConfig]] = {
    "conditional-generation": conditional_generation(),
    "causal-lm": causal_lm(),
}
