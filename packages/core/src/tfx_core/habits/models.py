"""Methods and attributes of a model."""

from tfx_core.habits.habit import works

HABITS = (works("save_pretrained(folder)"),)
