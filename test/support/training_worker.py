"""Several `lisa train` one after the other in this process, which torchrun starts.

Arguments: CONFIG, or CONFIG=DIR to begin with a checkpoint, for each run. Starting Python anew for
each of them takes longer than the runs.
"""

from __future__ import annotations

import sys

from lisa_model.cli import main

for argument in sys.argv[1:]:
    config, _, begin = argument.partition("=")
    status = main(["train", config, *(["--resume-from", begin] if begin else [])])
    if status:
        sys.exit(status)
