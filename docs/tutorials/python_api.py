"""Train and evaluate from Python.

Run it cell by cell or as a whole: python python_api.py. It takes about ten seconds on one core. It gives the figures of
the command below, bit for bit:

    hml fit --config sep_conf --config demo --trainer.max_epochs 2 --data.images.num_train 200
        --data.images.num_test 200 --data.mixed.images_per_pair 2
"""

import torch
from lightning.pytorch import Trainer, seed_everything
from torch import nn

import hml

# %% What hml fit chooses for the process
SEED = 0
seed_everything(SEED)  # before the network is made, which draws its first weights
torch.set_num_threads(1)  # as hml fit does for narrow networks on a CPU; with other threads, rounding differs

# %% Data: images, mixed images and how they are labelled
data = hml.HMixDataModule(
    strategy=hml.SeparateLabels(gamma=0.005),
    images=hml.DemoImages(num_train=200, num_test=200),  # leave out images and mixed for CIFAR-10 and H-Mix
    mixed=hml.DemoMixes(images_per_pair=2),
    batch_size=32,
    seed=SEED,
)

# %% Train: the paper's optimiser, schedule and gradient clipping are the Classifier's defaults
classifier = hml.Classifier(hml.PreActResNet18(width=8))
trainer = Trainer(
    max_epochs=2,
    accelerator="cpu",
    devices=1,
    precision=hml.best_precision("cpu"),  # bf16-mixed if the hardware multiplies bfloat16
    callbacks=[hml.Calibration(bin_size=50)],  # in place of the default one; the other evaluations are added
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    limit_val_batches=0,  # no images are held out
)
trainer.fit(classifier, datamodule=data)

# %% Test: cross entropy to people's labels, calibration, FGSM, and more
(figures,) = trainer.test(classifier, datamodule=data, verbose=False)
for name in ("test/cross_entropy", "test/rms_calibration", "test/fgsm_cross_entropy", "test/accuracy"):
    print(f"{name:25} {figures[name]:.4f}")

# %% Evaluate any module that maps images in [0, 1] to logits
same = hml.evaluate(classifier, data, callbacks=[hml.Calibration(bin_size=50)])
untrained = hml.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10)), data)
print(f"{untrained['test/cross_entropy']:.4f} is an untrained linear model's cross entropy")
