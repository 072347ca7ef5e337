"""What is typed after ``transformers-cli`` or ``transformers``."""

from tfx_core.habits.habit import told, works

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
    told("add-new-model-like", "an architecture is a plugin of a distribution of its own; the README shows one"),
)
