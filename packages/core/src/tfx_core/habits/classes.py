"""Names of classes of the reference, known from what the installed architectures say of it."""


def class_hint(name: str) -> str | None:
    """What is typed here for ``BertModel``, ``BertTokenizerFast`` or ``BertConfig``; ``None`` for any other name."""
    from tfx_core.errors import PluginError
    from tfx_core.habits.nearest import nearest
    from tfx_core.habits.table import PLACES
    from tfx_core.plugins import registry

    try:
        specs = registry.architectures()
    except PluginError:  # it is a plugin that asks, while it is loaded
        return None
    for spec in specs:
        if name in spec.hf_classes:
            return f"tfx_core.load_model(path, head={spec.hf_classes[name]!r})"
        if name.removesuffix("Fast") in {each.removesuffix("Fast") for each in spec.tokenizer_classes}:
            return "tfx_core.load_tokenizer(path)"
        if name in {f"{each.partition('For')[0].removesuffix('Model')}Config" for each in spec.hf_classes}:
            return f"tfx_core.new_model({spec.name!r}, …).config, or tfx_core.load_model(path).config"
    if not name.startswith(("AutoModelFor", "AutoVideo", "AutoBackbone")):
        return None
    heads = [each.theirs.removeprefix("AutoModelFor") for each in PLACES["tfx_core"]]
    close = nearest(name.removeprefix("AutoModelFor"), heads)
    return f"did you mean {f'AutoModelFor{close}'!r}?" if close else "models here are of text, and none has such a head"
