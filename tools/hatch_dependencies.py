"""Read the package's dependencies from requirements/runtime.in, so that they are named in one place."""

from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class CustomMetadataHook(MetadataHookInterface):
    """Hatch's own name for a hook that lives in the project."""

    def update(self, metadata: dict[str, object]) -> None:
        """Fill in `dependencies`."""
        lines = (Path(self.root) / "requirements" / "runtime.in").read_text().splitlines()
        metadata["dependencies"] = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
