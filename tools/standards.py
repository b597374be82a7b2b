"""The index of standards: which module obeys which section, read from the comments and docstrings that cite it.

A citation is `RFC 6376 §3.4.4`. One that is written otherwise, names a standard that `standards.toml` does not know,
or one that has been replaced (unless the line says what replaces it) is dead, and fails the check.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "postroad"
_CITATION = re.compile(r"\bRFC (\d{3,5})(?:,? §§? ?([0-9A-Z][0-9A-Za-z.]*))?")
_MISSPELT = re.compile(r"\bRFC[-_ ]?\d{3,5},? (?:s|sec|sect|section)\.? ?\d|\bRFC[-_]?\d{3,5}\b")
_HISTORY = re.compile(r"replace|obsolete|successor|formerly")


class Standard(NamedTuple):
    """A standard that may be cited."""

    title: str
    by: str | None


class Citation(NamedTuple):
    """One place that cites a standard."""

    number: str
    section: str
    module: str


def known() -> dict[str, Standard]:
    """Return the standards that may be cited, by number."""
    table = tomllib.loads((Path(__file__).parent / "standards.toml").read_text(encoding="utf-8"))
    return {number: Standard(entry["title"], entry.get("by")) for number, entry in table.items()}


def citations() -> Iterator[Citation]:
    """Yield every citation in the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE).as_posix()
        for number, section in _CITATION.findall(path.read_text(encoding="utf-8")):
            yield Citation(number, section.rstrip("."), module)


def flaws() -> list[str]:
    """Return the dead citations."""
    standards = known()
    found: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{line_number}"
            found.extend(f"{place}: write {text!r} as RFC 6376 §3.4.4 is written" for text in _MISSPELT.findall(line))
            for number, _ in _CITATION.findall(line):
                if number not in standards:
                    found.append(f"{place}: RFC {number} is not in tools/standards.toml; add it there")
                elif standards[number].by and not _HISTORY.search(line):
                    found.append(f"{place}: RFC {number} was replaced by RFC {standards[number].by}")
    return found


def page() -> str:
    """Return the index as a Markdown page."""
    standards = known()
    sections: dict[str, dict[str, set[str]]] = {}
    for number, section, module in citations():
        if number in standards and not standards[number].by:
            sections.setdefault(number, {}).setdefault(section, set()).add(module)
    lines = ["# Standards", "", "Which module obeys which section, as the code itself cites it.", ""]
    for number in sorted(sections, key=int):
        lines += [f"## RFC {number}: {standards[number].title}", "", "| section | obeyed in |", "|---|---|"]
        for section in sorted(sections[number], key=_in_order):
            modules = ", ".join(f"`{module}`" for module in sorted(sections[number][section]))
            lines.append(f"| {f'§{section}' if section else 'as a whole'} | {modules} |")
        lines.append("")
    return "\n".join(lines)


def _in_order(section: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in section.split(".")]
