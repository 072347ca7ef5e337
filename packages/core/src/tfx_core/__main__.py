"""``python -m tfx_core``: the command ``tfx-core`` where scripts are not on the path."""

from tfx_core.cli import main

main()
