"""What is asked of a tokenizer, and how it is called."""

from tfx_core.habits.habit import Habit

TOKENIZER: tuple[Habit, ...] = ()

CALL: tuple[Habit, ...] = ()
