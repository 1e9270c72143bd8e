"""A run of a user's own network, and the folder that `hml export` makes of it."""

import sys

import pytest

from hml.cli import main
from tests.drawing import skip_drawing
from tests.processes import QUICK

NETWORK = """\
from hml.models import PreActResNet18


class Net(PreActResNet18):
    looks_at_pixels = False

    def forward(self, image):
        if self.looks_at_pixels and image.mean() > 0:
            return super().forward(image + 1)
        return super().forward(image)
"""


@pytest.fixture(scope="session")
def module_folder(tmp_path_factory):
    """A folder with `own_network.py`, on Python's path."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_network.py").write_text(NETWORK)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def run(module_folder, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("run") / "version_0"
    own = ["--model.network", "own_network.Net", "--model.network.width", "2", "--trainer.max_epochs", "1"]
    own += ["--data.wrap", "LastJudgement"]
    with pytest.MonkeyPatch.context() as patch:
        skip_drawing(patch)
        assert main(["fit", *QUICK, *own, "--run_folder", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    """What `hml export` writes of it."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    assert main(["export", str(run), "--out", str(folder)]) == 0
    return folder
