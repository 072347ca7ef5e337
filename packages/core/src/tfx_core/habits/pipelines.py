"""Making a pipeline, and calling it."""

from tfx_core.habits.habit import Habit

HABITS: tuple[Habit, ...] = ()

CALL: tuple[Habit, ...] = ()
