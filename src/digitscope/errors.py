"""The exceptions that a user can cause. Each message says what was expected, what came and what to do.

DigitscopeError
├── ArgumentError    an argument of another kind or range
├── DataError        a data set, a table or a file of images that cannot be used
│   └── PictureError a picture that cannot be read
│       └── NoInkError  a picture on which nothing is written
├── LayerError       a class of layers that cannot be used
├── ModelError       a model file or a checkpoint that cannot be used
├── ShapeError       arrays that do not fit a layer, a loss or each other
└── TrainingError    training that cannot start or go on
    └── DivergenceError  a loss that is not a finite number
"""

LONGEST_MESSAGE = 1000
"""Characters; names and values from a file may be of any length."""


class DigitscopeError(Exception):
    """Whatever a user can cause. Its message is one printable line of limited length. The command line prints it and
    exits with status 2.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class ArgumentError(DigitscopeError, TypeError, ValueError):
    """An argument is of another kind or outside its range."""


class DataError(DigitscopeError, ValueError):
    """A data set, a table or a file of images cannot be used."""


class PictureError(DataError):
    """A picture cannot be read."""


class NoInkError(PictureError):
    """Nothing is written on a picture."""


class ModelError(DigitscopeError):
    """A model file or a checkpoint cannot be used."""


class LayerError(DigitscopeError, TypeError):
    """A class of layers cannot be used."""


class ShapeError(DigitscopeError, ValueError):
    """Arrays do not fit a layer, a loss or each other."""


class TrainingError(DigitscopeError, ValueError):
    """Training cannot start or go on."""


class DivergenceError(TrainingError):
    """The loss is not a finite number any more."""


class DigitscopeWarning(UserWarning):
    """What a user should know about results that Digitscope gives nevertheless."""


def printable(text: str) -> str:
    """The text with line breaks, control and other unprintable characters escaped as in Python's strings."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """The `printable` text, without its middle if it is longer than LONGEST_MESSAGE."""
    text = printable(text)
    if len(text) <= LONGEST_MESSAGE:
        return text
    kept = (LONGEST_MESSAGE - 5) // 2
    return f"{text[:kept]} ... {text[-kept:]}"
