"""Tasks: a model, its tokenizer and what a user wants of them, by name.

Importing this package imports no torch, so that the command line can show a task's options at once.
"""

from tfx_core.fields import Help
from tfx_core.tasks.base import Progress, Result, Task
from tfx_core.tasks.options import LengthOptions, Separated, TaskOptions
from tfx_core.tasks.pipeline import pipeline
from tfx_core.tasks.segments import ReadsInAnyOrder, ReadsSegments
from tfx_core.tasks.windows import ItemError, TextWindow, check_length, check_text, length_limit, tokenize, window_of

__all__ = [
    "Help",
    "ItemError",
    "LengthOptions",
    "Progress",
    "ReadsInAnyOrder",
    "ReadsSegments",
    "Result",
    "Separated",
    "Task",
    "TaskOptions",
    "TextWindow",
    "check_length",
    "check_text",
    "length_limit",
    "pipeline",
    "tokenize",
    "window_of",
]
