"""What sentence-transformers calls these: the model, making it, ``encode``."""

from tfx_core.habits.habit import Habit

ENCODER: tuple[Habit, ...] = ()

LOAD_ENCODER: tuple[Habit, ...] = ()

ENCODE: tuple[Habit, ...] = ()
