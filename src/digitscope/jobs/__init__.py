"""Whole jobs without a user interface: train, teach, measure robustness, write a Kaggle submission."""
