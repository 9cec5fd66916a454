"""The callback protocol of scikit-learn 1.9 (SLEP023). Older releases have none, so there are no callbacks to call."""

from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class NoCallbacks:
        """The context of a fit without callbacks."""

        def subcontext(self, **options: Any) -> "NoCallbacks":
            return self

        def call_on_fit_task_begin(self, **arguments: Any) -> None: ...

        def call_on_fit_task_end(self, **arguments: Any) -> bool:
            return False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's mixin, without its `set_callbacks`."""

        def _init_callback_context(self, **options: Any) -> NoCallbacks:
            return NoCallbacks()

    def with_callbacks(method: Method) -> Method:
        return method


__all__ = ["CallbackSupportMixin", "with_callbacks"]
