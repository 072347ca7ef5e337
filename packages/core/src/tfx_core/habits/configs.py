"""What is read from a config, set in it and asked of it."""

from tfx_core.habits.habit import works

HABITS = (works("hidden_size", "of every architecture, whatever its own name for it"),)
