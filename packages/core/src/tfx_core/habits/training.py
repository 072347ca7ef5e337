"""Training loops of others around a model of ours."""

from tfx_core.habits.habit import told, works

_BY_LOAD_MODEL = "its folders are read by load_model; for transformers too, trainer.model.save_pretrained(folder)"
_SPLIT = "with model.split_layers(), which gives layers the reference's names: a name that is not there is PEFT's error"

TRAINER = (
    works("Trainer(model=model, …).train()", "of transformers 4.57 and 5"),
    works("Trainer(…, compute_metrics=…)", "its predictions are one array"),
    works("TrainingArguments(load_best_model_at_end=True)"),
    works("trainer.train(resume_from_checkpoint=…)"),
    works("trainer.save_model(folder)", _BY_LOAD_MODEL),
    works("trainer.predict(rows)"),
    works("remove_unused_columns=True", "columns are kept by the names of the model's inputs"),
    works("label_smoothing_factor=0.1"),
    works("bf16=True"),
    works("gradient_accumulation_steps=2"),
    works("gradient_checkpointing=True"),
    works("neftune_noise_alpha=5", "with model.packed = False, for it hooks the token table and counts on rows"),
    works(
        "processing_class=tokenizer",
        "with data_collator=tfx_core.collators.Padding(tokenizer): a Trainer pads for its own tokenizers alone",
    ),
    works("Seq2SeqTrainer(…, predict_with_generate=True)", "labels in a batch do not disturb generate"),
)

COLLATORS = (
    works("DataCollatorWithPadding(tokenizer)", "or tfx_core.collators.Padding(tokenizer)"),
    works("DataCollatorForTokenClassification(tokenizer)", "or tfx_core.collators.Padding(tokenizer)"),
    works("DataCollatorForSeq2Seq(tokenizer)", "or tfx_core.collators.Padding(tokenizer)"),
    works("DataCollatorForLanguageModeling(tokenizer, mlm=False)", "or tfx_core.collators.NextTokens(tokenizer)"),
    works("DataCollatorForLanguageModeling(tokenizer)", "or tfx_core.collators.MaskedTokens(tokenizer)"),
    works(
        "DataCollatorForLanguageModeling(tokenizer, whole_word_mask=True)",
        "or tfx_core.collators.MaskedTokens(tokenizer, whole_words=True)",
    ),
)

LOOPS = (
    works("optimizer.step(); scheduler.step()", "a model is a torch.nn.Module, in any loop"),
    works("accelerator.prepare(model, optimizer, loader)"),
    works("accelerator.save_state(folder); accelerator.load_state(folder)", "load_model reads it as well"),
    works("accelerator.unwrap_model(model).save_pretrained(folder)"),
)

ADAPTERS = (
    works("get_peft_model(model, LoraConfig(task_type='SEQ_CLS'))", _SPLIT),
    works("LoraConfig(target_modules=['query', 'value'])", _SPLIT),
    works(
        "LoraConfig(target_modules='all-linear')",
        "as they are, queries, keys and values in one; with exclude_modules=['decoder'] where the output layer is the "
        "token table, which merging would change as well",
    ),
    works("wrapped.save_pretrained(folder)", "the adapter alone, which PeftModel.from_pretrained reads"),
    works("wrapped.merge_and_unload().save_pretrained(folder)"),
    works("wrapped.generate(…)"),
    told(
        "wrapped.base_model.model.save_pretrained(folder)",
        "merge the adapter first, wrapped.merge_and_unload().save_pretrained(folder), or save it alone, "
        "wrapped.save_pretrained(folder)",
    ),
)

STATES = (
    works("torch.save(model, file); torch.load(file, weights_only=False)"),
    works("copy.deepcopy(model)", "what is tied stays tied"),
    works("torch.save(model.state_dict(), 'folder/pytorch_model.bin')", "load_model reads the folder"),
    works("model.load_state_dict(reference.state_dict())", "names of transformers, or our own"),
    works("reference.load_state_dict(model.state_dict())", "with model.state_dict_for_files(), which has its names"),
)

HABITS = (*TRAINER, *COLLATORS, *LOOPS, *ADAPTERS, *STATES)
