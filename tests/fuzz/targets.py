"""The targets by name."""

from tests.fuzz.checkpoints import checkpoint_files, use_checkpoint
from tests.fuzz.classifiers import classifier_files, use_classifier
from tests.fuzz.datasets import (
    csv_files,
    idx_files,
    mutate_npz,
    mutate_table,
    mutate_zipped,
    npz_files,
    parquet_files,
    use_csv,
    use_idx,
    use_npz,
    use_parquet,
)
from tests.fuzz.foreign_weights import use_weights, weight_files
from tests.fuzz.models import model_files, use_model
from tests.fuzz.mutate import mutate_bytes, mutate_tensors
from tests.fuzz.pictures import picture_files, use_picture
from tests.fuzz.runner import Target

TARGETS = {
    "idx": Target(idx_files, mutate_zipped(), use_idx, quick_cases=300),
    "npz": Target(npz_files, mutate_npz, use_npz, quick_cases=200),
    "csv": Target(csv_files, mutate_table, use_csv, quick_cases=40),
    "parquet": Target(parquet_files, mutate_bytes, use_parquet, quick_cases=60),
    "pictures": Target(picture_files, mutate_bytes, use_picture, quick_cases=120),
    "models": Target(model_files, mutate_tensors, use_model, quick_cases=200),
    "classifiers": Target(classifier_files, mutate_tensors, use_classifier, quick_cases=60),
    "weights": Target(weight_files, mutate_bytes, use_weights, quick_cases=150),
    "checkpoints": Target(checkpoint_files, mutate_tensors, use_checkpoint, quick_cases=30),
}
