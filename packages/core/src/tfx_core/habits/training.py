"""Training loops of others around a model of ours."""

from tfx_core.habits.habit import Habit

HABITS: tuple[Habit, ...] = ()
