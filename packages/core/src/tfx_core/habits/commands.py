"""What is typed after ``transformers-cli`` or ``transformers``."""

from tfx_core.habits.habit import told, works

TRAINING = {
    "--learning_rate": "--rate",
    "--num_train_epochs": "--epochs",
    "--max_steps": "--steps",
    "--per_device_train_batch_size": "--batch-size, rows of an update over all processes",
    "--gradient_accumulation_steps": "--accumulation, parts that the rows of an update are computed in",
    "--warmup_steps": "--warmup, updates",
    "--lr_scheduler_type": "--schedule",
    "--max_grad_norm": "--clipping",
    "--output_dir": "--out",
    "--model_name_or_path": "--model",
    "--train_file": "--train of finetune, --corpus of pretrain",
    "--max_seq_length": "--length of finetune, --option length=… of pretrain",
    "--mlm_probability": "--option share=…, of the objective masked-words",
    "--num_labels": "told by the labels of the rows",
}
"""Options of the scripts that train, and what tfx-core pretrain and finetune call them."""

HABITS = (
    works("run --model"),
    works("run --output"),
    works("run --device 0", "the first accelerator, as in pipelines; --device -1 is the CPU"),
    told("--task", "the task is the first word: tfx-core run TASK --model MODEL"),
    told("--input", "the inputs are in --file, in a pipe, or TEXT after the options"),
    told("--format", "lines, jsonl or whole is --read-as, and results as JSON are --json"),
    told("--column", "write one JSON object a line; the keys are those that the task takes in Python"),
    told("--framework", "everything here is PyTorch"),
    told("chat", "tfx-core run text-generation continues a prompt, and a chat given as a line of JSON"),
    told("env", "tfx-core plugins lists what is installed, with versions"),
    told("download", "a hub id is downloaded when it is first loaded, such as by tfx-core run TASK --model ID"),
    told("serve", "there is no server; tfx-core run TASK reads lines from a pipe, and answers each"),
    *(
        told(theirs, f"in tfx-core pretrain and finetune (tfx-training) it is {ours}")
        for theirs, ours in TRAINING.items()
    ),
    told(
        "add-new-model-like",
        "an architecture is a plugin of a distribution of its own: tfx-core new plugin NAME writes one",
    ),
)
