"""Spreads a training step over threads, worker processes and devices without changing a bit of its result.

`digitscope.training.loop.train_step` is the definition of the step. Here are the shards that a batch is cut into
(`shards`), the step over them (`step`), the processes and threads that compute them (`workers`, `shared_memory`,
`threads`), when these pay (`thresholds`), BLAS's own threads (`blas`), memory and devices.
"""
