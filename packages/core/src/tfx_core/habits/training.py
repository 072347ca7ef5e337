"""Training loops of others around a model of ours."""

from tfx_core.habits.habit import told

HABITS = (
    told(
        "wrapped.base_model.model.save_pretrained(folder)",
        "merge the adapter first, wrapped.merge_and_unload().save_pretrained(folder), or save it alone, "
        "wrapped.save_pretrained(folder)",
    ),
)
