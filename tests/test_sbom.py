"""The bill of materials in the wheel is that of this source."""

from docs.sbom import FILE, text


def test_the_bill_of_materials_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "Run: python -m docs.sbom"
