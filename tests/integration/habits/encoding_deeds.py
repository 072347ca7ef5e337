"""Habits of `tfx_core.habits.encoding`, done."""

DEEDS: dict[tuple[str, str], object] = {}
