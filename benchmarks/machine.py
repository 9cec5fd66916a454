"""The machine, the versions and the commit of a measurement."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from threadpoolctl import threadpool_info


def machine() -> str:
    """The processor, and the number of its cores that this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        text = info.read_text()
        first = dict(re.findall(r"(\S[^\t\n]*)\s*: (.*)", text.split("\n\n")[0]))
        name = first.get("model name", name)
        if "cpu family" in first:  # several generations may share a name
            name += f" (family {first['cpu family']}, model {first['model']})"
        if " avx512f" in text:
            name += " with AVX-512"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {name}, {platform.system()}"


def versions(*packages: str) -> dict[str, str]:
    """The versions of Python, of the packages, and of NumPy's BLAS with the kernels that it chose for the processor."""
    blas = next((info for info in threadpool_info() if info["user_api"] == "blas"), None)
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        **(
            {"blas": f"{blas['internal_api']} {blas['version']} {blas.get('architecture', '')}".strip()} if blas else {}
        ),
    }


def commit() -> str:
    """The commit that is checked out, with a + if files differ from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    changed = subprocess.run(["git", "status", "--porcelain", "src"], capture_output=True, text=True, check=True).stdout
    return head.strip() + ("+" if changed else "")
