"""Addresses as QR codes."""

import io


def qr_svg(address: str) -> bytes:
    """A QR code as SVG: dark on light with the quiet zone that cameras need, in every theme."""
    import segno

    svg = io.BytesIO()
    code = segno.make_qr(address, error="m")
    code.save(svg, "svg", border=4, light="#ffffff", dark="#000000", omitsize=True, xmldecl=False, svgclass=None)
    return svg.getvalue()
