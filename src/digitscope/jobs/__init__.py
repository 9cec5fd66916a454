"""Whole tasks without a user interface: train, fit, teach, inspect, compare runs, measure robustness, submit."""
