"""The table of a network's layers."""

from collections.abc import Iterator

from digitscope.nn.layer import Layer


def summarize(network: Layer, input_shape: tuple[int, ...]) -> str:
    """The table that `Network.summary` describes."""
    heading = ("name", "layer", "output", "parameters", "MFLOP")
    total = ("", "total", *_figures(network, input_shape))
    rows = [heading, *_rows(network, "", 0, input_shape), total]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        texts = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        lines.append("  ".join([*texts, *numbers]).rstrip())
    return "\n".join(lines)


def count_parameters(layer: Layer) -> int:
    """The number of entries in all parameters."""
    return sum(p.size for p in layer.params.values())


def _rows(layer: Layer, prefix: str, depth: int, shape: tuple[int, ...]) -> Iterator[tuple[str, str, str, str, str]]:
    for (name, part), part_shape in zip(layer.parts.items(), layer.input_shapes(shape), strict=True):
        text = "  " * depth + (type(part).__name__ if part.parts else repr(part))
        yield (prefix + name, text, *_figures(part, part_shape))
        yield from _rows(part, f"{prefix}{name}.", depth + 1, part_shape)


def _figures(layer: Layer, shape: tuple[int, ...]) -> tuple[str, str, str]:
    """The output's shape, the number of parameters and the MFLOP; empty if 0."""
    count, flops = count_parameters(layer), layer.flops(shape)
    return (
        " x ".join(map(str, layer.output_shape(shape))),
        f"{count:,}" if count else "",
        f"{flops / 1e6:,.3f}" if flops else "",
    )
