"""What a model is called with, and what is done with its output."""

from tfx_core.habits.habit import told, works

INPUTS = (told("model(batch)", "write model(**batch), which passes each by its name"),)

OUTPUTS = (
    works("out[0]", "results in the order of theirs, the loss first where there is one"),
    works("out[:2]"),
    works("out.to_tuple()"),
    works("out.keys()"),
    works("'logits' in out"),
    works("model(…, return_dict=False)", "a tuple"),
    told("loss, logits = out", "iterating over an output gives names, as there; unpack out[:2] or out.to_tuple()"),
    told("out.loss = loss", "outputs are read-only; use out.updated(loss=…) for a copy"),
)
