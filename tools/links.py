"""Check that every relative link in the Markdown pages leads somewhere, and every `make` target they name exists."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"`make ([a-z]+)[^`]*`")
_DEFINED = re.compile(r"^([a-z]+):", re.MULTILINE)


def pages() -> list[Path]:
    """Return all Markdown pages of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)", "", heading).lower()).replace(" ", "-")
        number = 1
        unique = slug
        while unique in found:
            unique = f"{slug}-{number}"
            number += 1
        found.add(unique)
    return frozenset(found)


def flaws_of(page: Path, targets: frozenset[str]) -> Iterator[str]:
    """Yield what is wrong with one page."""
    name = page.relative_to(ROOT)
    text = page.read_text(encoding="utf-8")
    for link in _LINK.findall(_FENCE.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{name}: {link} leads nowhere"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{name}: {link} names no heading of {target.relative_to(ROOT)}"
    yield from (f"{name}: there is no `make {target}`" for target in set(_TARGET.findall(text)) - targets)


def main() -> int:
    """Print every flaw; return 1 when there is one."""
    targets = frozenset(_DEFINED.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    found = pages()
    flaws = [flaw for page in found for flaw in flaws_of(page, targets)]
    for flaw in flaws:
        print(flaw)
    if not flaws:
        print(f"Links: {len(found)} pages, all lead somewhere.")
    return bool(flaws)


if __name__ == "__main__":
    sys.exit(main())
