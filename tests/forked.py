"""What processes are forked from: a process that has imported hml, and has parsed a command line once."""

import gc

gc.disable()  # what is imported stays until the end

import hml.training.run  # noqa: E402, F401
import tests.drawing  # noqa: E402, F401
from hml.training.flags import parse  # noqa: E402
from tests.processes import QUICK  # noqa: E402

parse(["fit", *QUICK])
gc.freeze()
gc.enable()
