"""The callback protocol of scikit-learn 1.9 (SLEP023). Older releases have none, so there are no callbacks to call."""

from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


class NoCallbacks:
    """The context of a fit without callbacks."""

    def subcontext(self, **options: Any) -> "NoCallbacks":
        return self

    def call_on_fit_task_begin(self, **arguments: Any) -> None: ...

    def call_on_fit_task_end(self, **arguments: Any) -> bool:
        return False


class NoCallbackSupport:
    """Stands for scikit-learn's mixin, without its `set_callbacks`."""

    def _init_callback_context(self, **options: Any) -> NoCallbacks:
        return NoCallbacks()


try:
    from sklearn import callback
except ImportError:
    callback = None

CallbackSupport: Any = NoCallbackSupport if callback is None else callback.CallbackSupportMixin


def with_callbacks(method: Method) -> Method:
    """The decorator of `fit`."""
    decorated: Method = method if callback is None else callback.with_callbacks(method)
    return decorated
