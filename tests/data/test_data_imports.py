import subprocess
import sys


def test_importing_the_package_loads_neither_pandas_nor_pillow_nor_scipy() -> None:
    code = "import sys, digitscope.data; print(*{'pandas', 'PIL', 'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_public_names_exist() -> None:
    import digitscope.data

    assert digitscope.data.__all__ == sorted(digitscope.data.__all__)
    assert all(getattr(digitscope.data, name).__doc__ for name in digitscope.data.__all__)
