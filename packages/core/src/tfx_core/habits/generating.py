"""Keywords of ``generate``, and what is passed to it."""

from tfx_core.habits.habit import Habit

HABITS: tuple[Habit, ...] = ()
