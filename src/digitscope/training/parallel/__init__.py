"""Spreads a training step over threads, worker processes and devices without changing a bit of its result.

`digitscope.training.loop.train_step` is the definition of the step.

shards.py         the shards that a batch is cut into
step.py           the step over the shards of a batch
threads.py        threads that compute shards
workers.py        processes that compute shards; shared_memory.py has their weights and gradients
ranks.py          processes on one machine or several, started by mpiexec, that compute shards
interpreter.py    starts a process and its pipes
thresholds.py     from which amount of work threads and processes are used
blas.py           the number of BLAS's own threads
memory.py         keeps freed memory in the process
device.py         the CPU or a GPU
"""
