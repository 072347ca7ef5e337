"""Habits of `tfx_core.habits.generating`, done."""

DEEDS: dict[tuple[str, str], object] = {}
