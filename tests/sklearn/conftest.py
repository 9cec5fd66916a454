import os

# Where Python is told to write no bytecode, each process compiles scikit-learn, SciPy and pandas anew: 4 s of processor
# time. The processes that these tests start need not.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
