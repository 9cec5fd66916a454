"""Writes sbom.cdx.json, the software bill of materials in the wheel (PEP 770, CycloneDX 1.6): python -m docs.sbom

It has the package, the data and models that come in the wheel with their SHA-256, and the libraries that the package
needs. The libraries have no versions, because the installer chooses them.
"""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = Path(__file__).parent / "sbom.cdx.json"
PARTS = {"datasets/mnist/*.gz": ("data", "CC-BY-SA-3.0"), "models/*.safetensors": ("machine-learning-model", "MIT")}


def sbom() -> dict[str, Any]:
    """The content of the file, from pyproject.toml and the files of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    package = {
        "type": "application",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "description": project["description"],
        "licenses": [{"license": {"id": project["license"]}}],
        "purl": f"pkg:pypi/{name}@{version}",
    }
    source = ROOT / "src" / name
    parts = [_part(path, source, *kind) for pattern, kind in PARTS.items() for path in sorted(source.glob(pattern))]
    needed = [_library(requirement, "required") for requirement in project["dependencies"]]
    extras = [r for requirements in project["optional-dependencies"].values() for r in requirements]
    libraries = needed + [_library(requirement, "optional") for requirement in extras]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": package},
        "components": parts + sorted(libraries, key=lambda library: str(library["name"])),
        "dependencies": [
            {"ref": package["bom-ref"], "dependsOn": sorted(library["bom-ref"] for library in libraries)},
        ],
    }


def _part(path: Path, source: Path, kind: str, licence: str) -> dict[str, Any]:
    place = f"{source.name}/{path.relative_to(source).as_posix()}"
    return {
        "type": kind,
        "bom-ref": place,
        "name": place,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        "licenses": [{"license": {"id": licence}}],
    }


def _library(requirement: str, scope: str) -> dict[str, Any]:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    purl = f"pkg:pypi/{found[0].lower()}"
    return {"type": "library", "bom-ref": purl, "name": found[0], "scope": scope, "purl": purl}


def text() -> str:
    return json.dumps(sbom(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8", newline="\n")
