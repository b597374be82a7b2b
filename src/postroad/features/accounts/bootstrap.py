"""What a first start finds nothing of: the default project, and in development a key that stays the same."""

import asyncio
from pathlib import Path
from typing import Final

from postroad.features.accounts import secret as form
from postroad.features.accounts.keys import Keys
from postroad.features.accounts.projects import Projects
from postroad.model.errors import Refused
from postroad.model.message import Mode
from postroad.model.project import Project
from postroad.store.vault import create_private_file

DEFAULT_PROJECT: Final = "default"
KEY_FILE: Final = "dev.key"
_ACTOR: Final = "system"


async def ensure_default_project(projects: Projects) -> Project:
    """Return the project `default`, made when there is none; two nodes that start together make one."""
    try:
        return await projects.find(DEFAULT_PROJECT)
    except Refused as refusal:
        if refusal.code != "not_found":
            raise
    try:
        return await projects.create(DEFAULT_PROJECT, actor=_ACTOR)
    except Refused as refusal:
        if refusal.code != "already_exists":
            raise
        return await projects.find(DEFAULT_PROJECT)


async def development_key(keys: Keys, project: Project, directory: Path, entropy: bytes) -> str:
    """Return the secret of a full live key for `project`, the same after every restart.

    It lies in `dev.key` in the data directory, where only its owner can read it; where the store does not know it (a
    new store, or the key was revoked) it is made known, or made anew. Only for `postroad dev`: production keeps no
    secret.

    Args:
        keys: of all projects.
        project: whose key it is.
        directory: the data directory.
        entropy: 32 random octets, for a key that has to be made.
    """
    path = directory / KEY_FILE
    secret = await asyncio.to_thread(_read, path)
    if secret is not None:
        owner = await keys.owner(secret)
        if owner is None:
            await keys.adopt(project.id, "development", secret, actor=_ACTOR)
            return secret
        if owner.project_id == project.id and owner.revoked_at is None:
            return secret
        await asyncio.to_thread(path.unlink)
    secret = form.make(Mode.LIVE, entropy)
    await asyncio.to_thread(create_private_file, path, secret + "\n")
    await keys.adopt(project.id, "development", secret, actor=_ACTOR)
    return secret


def _read(path: Path) -> str | None:
    """Return the secret in a file; None when there is no file or it holds something else, which is then put aside."""
    try:
        text = path.read_text("utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    if form.well_formed(text):
        return text
    path.replace(path.with_suffix(".broken"))
    return None
