"""Hold modules and functions to their size, and the names of modules to what says something.

A module has at most 400 lines; up to 500 when a comment in it says why, as `# Longer than 400 lines: <reason>`. A
function has at most 50, its signature and docstring not counted. Complexity is ruff's (C901). Migrations are lists.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULE_LINES = 400
MODULE_LINES_WITH_REASON = 500
FUNCTION_LINES = 50
REASON = "# Longer than 400 lines: "
SAYS_NOTHING = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "base", "misc", "core"}


def flaws_of(path: Path) -> Iterator[str]:
    """Yield what is wrong with one module."""
    source = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    lines = source.count("\n")
    allowed = MODULE_LINES_WITH_REASON if REASON in source else MODULE_LINES
    if lines > allowed:
        yield f"{name}: {lines} lines, at most {allowed}; split it"
    if path.stem in SAYS_NOTHING or path.parent.name in SAYS_NOTHING:
        yield f"{name}: its name says nothing about what is in it"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := body_lines(node)) > FUNCTION_LINES:
            yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of lines of a function below its signature and docstring."""
    statements = function.body
    if ast.get_docstring(function) is not None:
        statements = statements[1:]
    last = statements[-1].end_lineno if statements else None
    return last - statements[0].lineno + 1 if last else 0


def main() -> int:
    """Print every flaw; return 1 when there is one."""
    modules = [path for folder in ("src", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]
    modules = [path for path in modules if "versions" not in path.parts]
    flaws = [flaw for path in modules for flaw in flaws_of(path)]
    for flaw in flaws:
        print(flaw)
    if not flaws:
        print(f"Budgets: {len(modules)} modules within them.")
    return bool(flaws)


if __name__ == "__main__":
    sys.exit(main())
