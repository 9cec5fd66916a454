"""How a step is spread over threads, processes and devices, without changing a bit of its result."""
