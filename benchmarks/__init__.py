"""Benchmarks: speed compared with other libraries in one run, and the measurement of the ladder."""
