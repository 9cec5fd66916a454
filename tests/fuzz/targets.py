"""The targets by name."""

from tests.fuzz.models import model_files, use_model
from tests.fuzz.mutate import mutate_tensors
from tests.fuzz.runner import Target

TARGETS = {
    "models": Target(model_files, mutate_tensors, use_model, quick_cases=200),
}
