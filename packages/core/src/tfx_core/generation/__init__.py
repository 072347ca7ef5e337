"""Generation: greedy search, sampling, beams in all kinds, contrastive search, guessed tokens, for any model.

A model is known here only as a `DecodingState`; `generate` makes one for a call and `decode` runs on one directly.
Names are imported on first use, so that the options can be shown without torch.
"""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

if TYPE_CHECKING:
    from tfx_core.generation.assisted import Assistant
    from tfx_core.generation.constraints import Constraint, DisjunctiveConstraint, PhrasalConstraint
    from tfx_core.generation.engine import decode, generate
    from tfx_core.generation.generation_config import GenerationConfig, options_from_files
    from tfx_core.generation.lexical_table import LexicalTable
    from tfx_core.generation.options import OPTION_NAMES, GenerationOptions, Strategy
    from tfx_core.generation.output import GenerationOutput, transition_scores
    from tfx_core.generation.processors import AllowedTokens, Processor
    from tfx_core.generation.prompts import Prompts
    from tfx_core.generation.rows import Rows
    from tfx_core.generation.sampling import row_seed
    from tfx_core.generation.shortlist import Shortlist
    from tfx_core.generation.state import (
        REPORTS,
        DecodingState,
        ExtendingState,
        GenerativeModel,
        RememberingState,
        ReportingState,
        RevealingState,
        RowByRow,
        check_used,
    )
    from tfx_core.generation.stopping import StoppingCriterion, TextDecoder
    from tfx_core.generation.streaming import AbortableStreamer, Streamer, TextIteratorStreamer, TextStreamer

_HOMES = {
    "AbortableStreamer": "streaming",
    "AllowedTokens": "processors",
    "Assistant": "assisted",
    "Constraint": "constraints",
    "DecodingState": "state",
    "DisjunctiveConstraint": "constraints",
    "ExtendingState": "state",
    "GenerationConfig": "generation_config",
    "GenerationOptions": "options",
    "GenerationOutput": "output",
    "GenerativeModel": "state",
    "LexicalTable": "lexical_table",
    "OPTION_NAMES": "options",
    "PhrasalConstraint": "constraints",
    "Processor": "processors",
    "Prompts": "prompts",
    "REPORTS": "state",
    "RememberingState": "state",
    "ReportingState": "state",
    "RevealingState": "state",
    "RowByRow": "state",
    "Rows": "rows",
    "StoppingCriterion": "stopping",
    "Shortlist": "shortlist",
    "Strategy": "options",
    "Streamer": "streaming",
    "TextDecoder": "stopping",
    "TextIteratorStreamer": "streaming",
    "TextStreamer": "streaming",
    "check_used": "state",
    "decode": "engine",
    "generate": "engine",
    "options_from_files": "generation_config",
    "row_seed": "sampling",
    "transition_scores": "output",
}

__all__ = [
    "OPTION_NAMES",
    "REPORTS",
    "AbortableStreamer",
    "AllowedTokens",
    "Assistant",
    "Constraint",
    "DecodingState",
    "DisjunctiveConstraint",
    "ExtendingState",
    "GenerationConfig",
    "GenerationOptions",
    "GenerationOutput",
    "GenerativeModel",
    "LexicalTable",
    "PhrasalConstraint",
    "Processor",
    "Prompts",
    "RememberingState",
    "ReportingState",
    "RevealingState",
    "RowByRow",
    "Rows",
    "Shortlist",
    "StoppingCriterion",
    "Strategy",
    "Streamer",
    "TextDecoder",
    "TextIteratorStreamer",
    "TextStreamer",
    "check_used",
    "decode",
    "generate",
    "options_from_files",
    "row_seed",
    "transition_scores",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
