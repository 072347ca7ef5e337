"""Habits of `tfx_core.habits.text`, done."""

DEEDS: dict[tuple[str, str], object] = {}
