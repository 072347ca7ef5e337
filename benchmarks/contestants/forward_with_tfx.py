"""tfx calls a model once: takes a call and a file for its states."""

from forward import compete

import tfx_core

compete(tfx_core.load_model)
