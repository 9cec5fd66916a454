"""Long work in a process of its own, so that the server answers as fast as before."""

import os
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, Literal

from digitscope.errors import DigitscopeError, TrainingError
from digitscope.training.parallel.interpreter import own_pipes, pipes_to, start_interpreter

_Message = tuple[Literal["progress", "result", "error"], Any]
NICENESS = 5
"""The server's threads go first if there are more of them than processors."""


class SeparateProcess:
    """Calls a function in a new interpreter, which ends with this one, however it ends.

    The function is one that can be imported, and it takes a function for its progress as last argument; arguments,
    progress and result can be pickled.
    """

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._process = start_interpreter(serve, niceness=NICENESS)
        self._pipes = pipes_to(self._process)
        self._message = (function, arguments)

    def result(self, progress: Callable[[Any], object]) -> Any:
        """Waits for the function's result; meanwhile calls `progress` with what the function reports.

        Raises: what the function raised, if it is a DigitscopeError; TrainingError if the process ended otherwise.
        """
        requests, answers = self._pipes
        try:
            pickle.dump(self._message, requests, protocol=5)
            requests.flush()
            kind, value = self._receive(answers)
            while kind not in ("result", "error"):
                progress(value)
                kind, value = self._receive(answers)
        except DigitscopeError:
            raise
        except (OSError, EOFError, ValueError, pickle.PickleError) as error:
            raise TrainingError("The process that did the work has ended before it was done. Try again.") from error
        finally:
            self.end()
        if kind == "error":
            raise value
        return value

    def end(self) -> None:
        """Ends the process at once, if it still runs."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes:
            with suppress(OSError, ValueError):
                pipe.close()

    @staticmethod
    def _receive(answers: IO[bytes]) -> _Message:
        message: _Message = pickle.load(answers)
        return message


def serve() -> None:
    """Runs the function that comes on standard input; progress, then the result or the error go to standard output."""
    requests, answers = own_pipes()
    function, arguments = pickle.load(requests)
    threading.Thread(target=_end_with, args=(requests,), daemon=True).start()

    def send(kind: str, value: object) -> None:
        pickle.dump((kind, value), answers, protocol=5)
        answers.flush()

    try:
        result = function(*arguments, lambda value: send("progress", value))
    except DigitscopeError as error:
        send("error", error)
    else:
        send("result", result)


def _end_with(requests: IO[bytes]) -> None:
    """Ends this process when the one that started it closes the pipe, or has ended."""
    requests.read(1)
    os._exit(1)
