"""Methods and attributes of a model."""

from tfx_core.habits.habit import told, works

_NETWORK = "the network is model.backbone, also model.base_model, and its parameters' names begin with 'backbone.'"
_HEAD = "the head is model.head, and its parameters' names begin with 'head.'"

HABITS = (
    works("save_pretrained(folder)", "what load_model would refuse is refused"),
    works("get_input_embeddings()", "unscaled; model.backbone.embed(ids) gives what inputs_embeds takes"),
    works("set_input_embeddings(module)"),
    works("get_output_embeddings()", "None where the head predicts no tokens"),
    works("set_output_embeddings(module)"),
    works("resize_token_embeddings(len(tokenizer))", "of every architecture"),
    works("resize_token_embeddings(pad_to_multiple_of=64)"),
    works("resize_token_embeddings(…, mean_resizing=False)"),
    works("tie_weights()"),
    works("model.config.vocab_size"),
    told(
        "ids beyond the vocabulary",
        "room for new tokens is made by model.resize_token_embeddings(len(tokenizer))",
    ),
    told("the model_type as an attribute", _NETWORK),
    told(
        "from_pretrained_question_encoder_generator",
        "tfx_core.new_model(…, parts={'question_encoder': folder, 'generator': folder}) makes a model of others",
    ),
    told("set_retriever", "a call takes what was found; the task 'retrieval-augmented-generation' takes an index"),
    told("transformer", _NETWORK),
    told("model", _NETWORK),
    told("classifier", _HEAD),
    told("score", _HEAD),
    told("lm_head", _HEAD),
    told("cls", _HEAD),
    told("qa_outputs", _HEAD),
    told("classification_head", _HEAD),
)
