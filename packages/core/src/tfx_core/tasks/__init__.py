"""Tasks: a model, its tokenizer and what a user wants of them, by name.

Importing this package imports neither torch nor numpy, so that the command line can show a task's options at once.
"""

from typing import TYPE_CHECKING

from tfx_core.fields import Help
from tfx_core.first_use import on_first_use
from tfx_core.tasks.base import Progress, Result, Task, evaluating, tokens_of_pass
from tfx_core.tasks.batching import token_batches
from tfx_core.tasks.generating import GeneratingOptions, GeneratingTask, NewTokens
from tfx_core.tasks.options import LengthOptions, Separated, TaskOptions
from tfx_core.tasks.pipeline import pipeline
from tfx_core.tasks.segments import ReadsInAnyOrder, ReadsSegments
from tfx_core.tasks.windows import (
    ItemError,
    TextWindow,
    check_length,
    check_text,
    in_groups,
    length_limit,
    tokenize,
    window_of,
)

if TYPE_CHECKING:
    from tfx_core.tasks.text_classification import Logits, TextClassificationOptions, ranked_classes

_HOMES = dict.fromkeys(("Logits", "TextClassificationOptions", "ranked_classes"), "text_classification")

__all__ = [
    "GeneratingOptions",
    "GeneratingTask",
    "Help",
    "ItemError",
    "LengthOptions",
    "Logits",
    "NewTokens",
    "Progress",
    "ReadsInAnyOrder",
    "ReadsSegments",
    "Result",
    "Separated",
    "Task",
    "TaskOptions",
    "TextClassificationOptions",
    "TextWindow",
    "check_length",
    "check_text",
    "evaluating",
    "in_groups",
    "length_limit",
    "pipeline",
    "ranked_classes",
    "token_batches",
    "tokenize",
    "tokens_of_pass",
    "window_of",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
