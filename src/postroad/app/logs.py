"""Logs: structured, event name first, to standard error; never content, never whole addresses."""

import contextlib
import logging
import sys
from typing import TextIO

import structlog

from postroad.config import LogFormat, Settings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(settings: Settings) -> None:
    """Set up logging for this process, including what libraries log at WARNING and above."""
    text = settings.log.format is LogFormat.TEXT or (settings.log.format is LogFormat.AUTO and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if text
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log.level.value]),
        logger_factory=structlog.PrintLoggerFactory(Patient(sys.stderr)),  # type: ignore[arg-type]  # all it prints to
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


class Patient:
    """A stream whose failures harm nobody: a full disk, or a reader that went away, must not stop mail."""

    def __init__(self, stream: TextIO) -> None:
        """Take the stream to write to."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as far as the stream takes it."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush as far as the stream can."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _ToStructlog(logging.Handler):
    """Hands the records of libraries to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record under the name of its logger."""
        structlog.get_logger(record.name).log(record.levelno, "library", message=record.getMessage())
