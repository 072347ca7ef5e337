"""Habits of transformers and sentence-transformers: each works here, or its error says what it is called here.

One module a place where they are typed, each with its rows; they serve the keywords that are translated, the hints of
errors, and the page ``docs/coming-from-transformers.md``. `tests/integration/habits` does every row.
"""

from tfx_core.habits.habit import Habit, told, works
from tfx_core.habits.nearest import nearest
from tfx_core.habits.telling import hint, no_attribute, translated, understands, unknown

__all__ = ["Habit", "hint", "nearest", "no_attribute", "told", "translated", "understands", "unknown", "works"]
