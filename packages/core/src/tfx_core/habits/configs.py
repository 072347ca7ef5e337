"""What is read from a config, set in it and asked of it."""

from tfx_core.habits.habit import told, works

HABITS = (
    works("hidden_size", "of every architecture, whatever its own name for it"),
    works("num_hidden_layers", "of every architecture but Funnel, whose layers are in block_sizes"),
    works("num_attention_heads", "of every architecture"),
    works("intermediate_size", "of every architecture"),
    works("vocab_size", "of every architecture"),
    works("max_position_embeddings", "of every architecture; None where texts have no longest length"),
    works("config.pad_token_id = 5", "checked as in a file; so are the ids of the other special tokens"),
    works("config.id2label = {0: 'no', 1: 'yes'}", "as many classes as there are"),
    works("config.label2id = {'no': 0, 'yes': 1}", "sets id2label"),
    works("config.problem_type = 'regression'"),
    works("config.use_cache = False", "no effect but on XLNet's memory: a call returns a cache where it asks for one"),
    works("config.output_hidden_states = True", "the default of every call"),
    works("config.output_attentions = True", "the default of every call"),
    works("config.return_dict = False", "the default of every call"),
    works("config.update({…})", "all or none"),
    works("load_model(path, output_hidden_states=True)", "and every other key of a config"),
    works("model_type"),
    works("num_labels"),
    works("is_encoder_decoder"),
    works("name_or_path", "where the model was loaded from"),
    works("label2id", "made of id2label"),
    works("use_return_dict"),
    works("keys_to_ignore_at_inference"),
    works("torch_dtype", "as the file has it; so are other keys that are kept without effect"),
    works("to_dict()"),
    works("to_json_string()", "all keys"),
    works("to_json_file(path)"),
    works("save_pretrained(folder)"),
    works("AutoConfig.from_pretrained(folder)", "tfx_core.ModelConfig.from_pretrained(folder), any architecture's"),
    works("copy.deepcopy(config)"),
    works("hasattr(config, 'x')"),
    told(
        "config.hidden_size = 96",
        "it shapes a model when it is built; make another config with config.replace(…), or load the model with "
        "load_model(path, …)",
    ),
    told("config.num_beams = 4", "defaults of generation are kept in model.generation_config"),
    told("to_diff_dict", "to_dict() has all that is set"),
)
