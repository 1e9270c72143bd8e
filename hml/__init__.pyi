"""What `import hml` offers, and where each name is: read by type checkers, and by `hml.offered` at run time."""

from hml.data import Cifar10 as Cifar10
from hml.data import DemoImages as DemoImages
from hml.data import DemoMixes as DemoMixes
from hml.data import FreshMixes as FreshMixes
from hml.data import HMix as HMix
from hml.data import HMixDataModule as HMixDataModule
from hml.data import HuggingFaceImages as HuggingFaceImages
from hml.data import ImageFolder as ImageFolder
from hml.data import ImageSource as ImageSource
from hml.data import MixedSource as MixedSource
from hml.data import TorchvisionImages as TorchvisionImages
from hml.evaluation.alignment import brier_score as brier_score
from hml.evaluation.alignment import entropy_correlation as entropy_correlation
from hml.evaluation.alignment import kl_divergence as kl_divergence
from hml.evaluation.alignment import soft_cross_entropy as soft_cross_entropy
from hml.evaluation.alignment import top_k_accuracy as top_k_accuracy
from hml.evaluation.alignment import total_variation as total_variation
from hml.evaluation.attack import fgsm as fgsm
from hml.evaluation.calibration import expected_calibration_error as expected_calibration_error
from hml.evaluation.calibration import rms_calibration_error as rms_calibration_error
from hml.evaluation.callbacks import FGSM as FGSM
from hml.evaluation.callbacks import Calibration as Calibration
from hml.evaluation.callbacks import EvaluationCallback as EvaluationCallback
from hml.evaluation.callbacks import HumanAlignment as HumanAlignment
from hml.evaluation.metrics import GatheredPredictions as GatheredPredictions
from hml.labels import AggregateLabels as AggregateLabels
from hml.labels import ConfidenceOnlyLabels as ConfidenceOnlyLabels
from hml.labels import ConfidenceWeightedLabels as ConfidenceWeightedLabels
from hml.labels import ConstantSmoothingLabels as ConstantSmoothingLabels
from hml.labels import LabelStrategy as LabelStrategy
from hml.labels import MixupLabels as MixupLabels
from hml.labels import NoMixed as NoMixed
from hml.labels import ReliableLabels as ReliableLabels
from hml.labels import SeparateLabels as SeparateLabels
from hml.labels import ShrunkLabels as ShrunkLabels
from hml.labels import ShuffledJudgements as ShuffledJudgements
from hml.labels import UniformLabels as UniformLabels
from hml.labels import smooth_by_confidence as smooth_by_confidence
from hml.labels import two_hot as two_hot
from hml.models import PreActResNet18 as PreActResNet18
from hml.relabel import CurveLabels as CurveLabels
from hml.relabel import LearnedLabels as LearnedLabels
from hml.training.classifier import Classifier as Classifier
from hml.transforms import HumanMixUp as HumanMixUp

__version__: str
