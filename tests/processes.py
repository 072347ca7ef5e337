"""Starting the command line as users do: from a shell, on a terminal."""

import os
import pty
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def hear_interrupts() -> None:
    """A job in the background of a shell begins with interrupts ignored, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def shown_on_a_terminal(
    command: Sequence[str], env: Mapping[str, str] | None = None, *, stdin_too: bool = False
) -> str:
    """What a terminal shows of a process that ends well; with ``stdin_too`` it also listens to the terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command, env=env, stdin=follower if stdin_too else subprocess.DEVNULL, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(timeout=60) == 0, shown.decode()
    return shown.decode()


def with_path(*folders: Path) -> dict[str, str]:
    """The environment of this process, in which Python looks into these folders first."""
    path = [*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
