import subprocess
import sys


def test_importing_the_package_loads_no_large_library() -> None:
    large = {"pandas", "pyarrow", "PIL", "scipy", "matplotlib", "sklearn"}
    code = f"import sys, digitscope.datasets; print(*{large} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_public_names_exist() -> None:
    import digitscope.datasets

    assert digitscope.datasets.__all__ == sorted(digitscope.datasets.__all__)
    assert all(getattr(digitscope.datasets, name).__doc__ for name in digitscope.datasets.__all__)
