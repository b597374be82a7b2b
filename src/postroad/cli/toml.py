"""The settings as a TOML file that could be read back, each below the sentence that describes it."""

import json

import msgspec

from postroad.config import Settings, entries, plain, value_at


def as_toml(settings: Settings) -> str:
    """Return all settings as TOML; those that are not set and those that are secret are comments."""
    lines: list[str] = []
    section = ""
    for entry in sorted(entries(), key=lambda entry: "." in entry.path):  # what is in no table comes first
        table, _, name = entry.path.rpartition(".")
        if table != section:
            lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
            section = table
        lines.append(f"# {entry.say.description}")
        value = value_at(settings, entry.path)
        if value is None:
            lines.append(f"# {name} is not set")
        elif entry.is_secret or (entry.is_table and value):
            lines.append(f"# {name} = {_literal(plain(value))}")
        else:
            lines.append(f"{name} = {_literal(plain(value))}")
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_literal(item)}" for name, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return msgspec.json.encode(value).decode()
