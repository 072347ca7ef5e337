"""Habits of `tfx_core.habits.pipelines`, done."""

DEEDS: dict[tuple[str, str], object] = {}
