"""What a model is called with, what is done with its output, and what of a model is asked around a call."""

from tfx_core.habits.habit import told, works

_MAKE_A_TENSOR = (
    "torch.tensor makes one of lists, torch.from_numpy of an array, and a tokenizer with return_tensors='pt'"
)

INPUTS = (
    works("model(**batch)"),
    works("model(ids)", "only the ids may come without their name"),
    told("model(ids, mask)", "only the ids may come without their name; write model(ids, attention_mask=mask)"),
    told("model(batch)", "write model(**batch), which passes each by its name"),
    told(
        'model("a text")',
        'a model reads ids, which a tokenizer makes: model(**tokenizer(texts, padding=True, return_tensors="pt"))',
    ),
    told("model([[1, 2]])", _MAKE_A_TENSOR),
    told('langs="fr"', "the number of each token's language: langs=torch.full_like(ids, tokenizer.lang2id['fr'])"),
    told("model(torch.tensor([1, 2]))", "one text is a batch of one, ids[None]"),
    told('model(ids.to("cuda"))', "move one to the other: input_ids.to(model.device)"),
    works("labels=torch.tensor([0, 1])", "the loss is out.loss; what is -100 or padding does not count"),
    told("labels=[0, 1]", _MAKE_A_TENSOR),
    told("labels=torch.tensor([0.0, 1.0])", "classes are whole numbers, torch.int64"),
    told("labels=torch.tensor([0, 9])", "what shall not count is -100"),
    told(
        "labels=",
        "no loss of this model has them; a backbone has none, load it with a head: "
        "load_model(path, head='sequence-classification'); of answers they are start_positions and end_positions",
    ),
    works("attention_mask=", "zeros are padding, which no result and no loss depends on"),
    works("token_type_ids="),
    works("position_ids="),
    works("inputs_embeds="),
    works("head_mask="),
    works("output_attentions=", "with any attention kernel that shows its weights; nothing is loaded anew for it"),
    works("output_hidden_states="),
    works("use_cache=", "a cache is given only where it is asked for"),
    works(
        "past_key_values=", "what a call with use_cache=True returned as out.past_key_values; it is extended in place"
    ),
    told(
        "past_key_values=((keys, values), …)",
        "a cache is what a call with use_cache=True returned, out.past_key_values, or model.backbone.new_cache()",
    ),
    told("cache_position=", "leave it out: a cache knows where its text goes on"),
    told("lm_labels=", "labels="),
    told("masked_lm_labels=", "labels="),
)

OUTPUTS = (
    works("out[0]", "results in the order of theirs, the loss first where there is one"),
    works("out[:2]"),
    works("out.to_tuple()"),
    works("out.keys()"),
    works("'logits' in out"),
    works("out.loss", "None without labels"),
    works("type(out)({name: value})", "as libraries rebuild outputs that they look into"),
    works("torch.utils._pytree.tree_map(f, out)"),
    works("model(…, return_dict=False)", "a tuple"),
    told("loss, logits = out", "iterating over an output gives names, as there; unpack out[:2] or out.to_tuple()"),
    told("out.loss = loss", "outputs are read-only; use out.updated(loss=…) for a copy"),
)

MODEL = (
    works("gradient_checkpointing_enable()", "activations of layers are computed again in the backward pass"),
    works("gradient_checkpointing_disable()"),
    works("gradient_checkpointing_kwargs={'use_reentrant': …}", "either; gradients are the same"),
    works("gradient_checkpointing_enable(…, every_n_layers=2, offload=True)"),
    works("activation_checkpointing_enable()", "gradient_checkpointing_enable()"),
    works("is_gradient_checkpointing"),
    works("supports_gradient_checkpointing"),
    works("enable_input_require_grads()"),
    works("register_forward_hook(hook)", "on a layer; of padded batches see above, `model.packed = False`"),
    works("base_model", "the backbone"),
    works("base_model_prefix"),
    works("num_parameters(only_trainable=, exclude_embeddings=)"),
    works("can_generate()"),
    works("name_or_path"),
    works("device"),
    works("dtype"),
    works("half()"),
    works("to(torch.bfloat16)"),
    works("train()"),
    works("torch.compile(model)", "in one graph, unless what is computed depends on the ids"),
    works("layer.compile()", "runs compiled in calls and in generate; model.compile() in calls alone"),
    works("torch.export.export(model, …)", "padding is computed, too"),
    works("torch.jit.trace(model, …, strict=False)", "inputs as example_kwarg_inputs, for batches of their size"),
    works("DistributedDataParallel(model, find_unused_parameters=True)"),
    works("torch.func.functional_call(model, …)"),
)
