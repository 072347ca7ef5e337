"""Word alignments: which word of a translation comes from which word of its source, by the model's cross-attention."""

from tfx_core.alignment.attention import AlignmentRule
from tfx_core.alignment.pairs import alignment_of_generated, best_rule, word_alignments
from tfx_core.alignment.words import Alignment

__all__ = ["Alignment", "AlignmentRule", "alignment_of_generated", "best_rule", "word_alignments"]
