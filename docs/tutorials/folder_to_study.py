"""From a folder of images to a study, and from its judgements to a trained network.

Run it in an empty folder, cell by cell or as a whole: python folder_to_study.py. It takes about a minute and a half on
one core. Put your own images into `photos`, in a subfolder for each class, to use them instead of the drawn ones.
"""

import shlex
from pathlib import Path

import matplotlib.image
import numpy as np

from hml.cli import main


def run(command: str) -> None:
    """Run a command as in a shell; in a notebook, you can write `!hml elicit ...` instead."""
    print(f"$ hml {command}")
    if main(shlex.split(command)) != 0:
        raise SystemExit(f"hml {command} failed.")


# %% A folder of images, with a subfolder for each class
CLASSES = ("circle", "diamond", "half moon")


def draw(label: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a coloured shape on a grey background, shape (64, 64, 3)."""
    y, x = np.mgrid[:64, :64]
    (a, b), radius = rng.uniform(20, 44, 2), rng.uniform(8, 18)
    distances = [np.hypot(x - a, y - b), abs(x - a) + abs(y - b), np.maximum(np.hypot(x - a, y - b), radius * (x < a))]
    inside = (distances[label] < radius)[:, :, None]
    image = np.where(inside, rng.uniform(0, 1, 3), rng.uniform(0.35, 0.65, 3))
    return (image + rng.normal(0, 0.05, image.shape)).clip(0, 1)


if not Path("photos").exists():
    for label, name in enumerate(CLASSES):
        Path("photos", name).mkdir(parents=True)
        for number in range(40):
            image = draw(label, np.random.default_rng((label, number)))
            matplotlib.image.imsave(f"photos/{name}/{number:02d}.png", image)

# %% A study that asks people about blends of them
Path("study.yaml").write_text("""\
name: photos
task: rate_mixture
images: {class_path: hml.data.ImageFolder, init_args: {root: photos}}
stimuli: {per_class_pair: 16} # 48 blends of 3 class pairs
people_per_image: 3
trials: 12
""")

# Here simulated people take part. For real people, use `hml elicit serve --study study.yaml`, which opens the pages.
# The guide to `hml elicit` says what a published study needs: an ethics reference, a contact, HTTPS, recruiting.
run("elicit simulate --study study.yaml --people 12")
run("elicit export judgements.csv --format plain")

# %% What people perceive: open lightning_logs/percepts/percepts.html
SOURCE = "--judgements judgements.csv --source ImageFolder --source.root photos"
run(f"percepts {SOURCE}")

# %% A network that learns from their judgements
Path("own.yaml").write_text("""\
data:
  images: {class_path: hml.data.ImageFolder, init_args: {root: photos}}
model:
  network: {class_path: torchvision.models.resnet18}
""")

# One epoch only shows that it runs: leave out --trainer.max_epochs for figures that mean something.
ON_JUDGEMENTS = "--config own.yaml --data.mixed.judgements judgements.csv --trainer.max_epochs 1"
run(f"fit --config agg {ON_JUDGEMENTS}")

# %% Do people's labels help? The same recipe with mixup's labels and with people's, at two seeds
run(f"table1 --schemes mixup,agg --seeds 0..1 --baseline mixup {ON_JUDGEMENTS}")

# %% What would people report about any other blend? A model of the annotators labels fresh mixes
# For a model that you use, leave out --steps and --epochs.
run(f"relabel fit {SOURCE} --steps 30 --epochs 1")
run("fit --config learned_mean --config own.yaml --trainer.max_epochs 1")
