"""What import-linter cannot say: every package has its place in the contracts, and its words."""

import ast
import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "postroad"
MODULES = sorted(SOURCE.rglob("*.py"))
PURE = ("wire", "model", "dialects", "pipeline/compose", "pipeline/outcomes")
PURE_MODULES = [path for path in MODULES if path.relative_to(SOURCE).as_posix().startswith(PURE)]
CLOCK_AND_CHANCE = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.date.today",
    "email.utils.localtime",
    "email.utils.make_msgid",
    "email.utils.formatdate",
    "input",
    "open",
    "print",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def contracts():
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def places(contracts: configparser.ConfigParser, contract: str, option: str) -> set[str]:
    words = contracts[f"importlinter:contract:{contract}"][option].replace("|", " ").split()
    return {word.strip("()") for word in words}


@pytest.mark.parametrize(("package", "contract"), [("features", "features"), ("pipeline", "stages")])
def test_every_part_of_a_package_is_placed(contracts, package, contract):
    placed = places(contracts, contract, "layers")
    parts = [
        path.stem for path in (SOURCE / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    unplaced = {f"postroad.{package}.{part}" for part in parts if part != "__init__"} - placed
    assert not unplaced, f"place them in .importlinter: {unplaced}"


@pytest.mark.parametrize("package", [package for package in PURE if (SOURCE / package).exists()])
def test_every_pure_package_stands_in_its_contract(contracts, package):
    assert f"postroad.{package.replace('/', '.')}" in places(contracts, "pure", "source_modules")


@pytest.mark.parametrize("path", PURE_MODULES, ids=name_of)
def test_pure_code_reads_no_clock_and_no_world(path):
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert not called & CLOCK_AND_CHANCE


@pytest.mark.parametrize("path", [path for path in MODULES if "migrations" not in path.parts], ids=name_of)
def test_every_module_says_what_it_is_for(path):
    words = ast.get_docstring(ast.parse(path.read_text()))
    assert words, "give the module a docstring"
    assert words[0] == words[0].upper() or words.startswith("`")
    assert words.split("\n\n")[0].rstrip().endswith((".", ":")), "the first paragraph is a sentence"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_keeps_state_that_changes(path):
    """A `global` statement is the one way in which a function changes what a module holds without its name showing."""
    assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Global)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_left_to_do_in_the_source(path):
    text = path.read_text()
    assert not [word for word in ("TODO", "FIXME", "XXX", "HACK") if f"{word}:" in text or f"# {word}" in text]


def test_the_egress_client_is_the_only_http_client():
    """Every fetch goes through one door that checks addresses (SSRF): no other HTTP client may be imported."""
    clients = {"httpx", "requests", "aiohttp", "urllib.request", "urllib3", "http.client", "httpcore"}
    importing = {
        path.relative_to(SOURCE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and imported(node) & clients
    }
    assert all(module.startswith("features/egress/") for module in importing), importing


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    module = node.module or ""
    return {module} | {f"{module}.{alias.name}" for alias in node.names}
