"""Logs in a volume, bounded in size, and events also on stdout."""

import contextlib
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 4

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_events(directory: Path) -> None:
    """Send what the part has to say to stdout and to `events.log`.

    A folder that can't be written to is said once and costs the file, never the service.
    """
    logging.raiseExceptions = False
    stdout = logging.StreamHandler(sys.stdout)
    logging.basicConfig(level=logging.INFO, format=_FORMAT, handlers=[stdout])
    logging.getLogger("kazoo").setLevel(logging.WARNING)
    _add_file(logging.getLogger(), directory / "events.log", _FORMAT)


def access_logger(directory: Path, line_format: str = "%(asctime)s %(message)s") -> logging.Logger:
    """Return a logger that writes one line a request to `access.log` and nowhere else."""
    logger = logging.getLogger("osp.access")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    _add_file(logger, directory / "access.log", line_format)
    return logger


class BlockLog:
    """A file of lines that are written many at once, with the bounds of the other logs."""

    def __init__(self, path: Path) -> None:
        self._file: RotatingFileHandler | None = None
        try:
            self._file = RotatingFileHandler(path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES)
        except OSError as error:
            logging.getLogger("osp.logs").warning("no %s: %s", path.name, error)

    def write(self, lines: bytes) -> None:
        """Append whole lines. What can't be written, as on a full disk, is lost: never raises."""
        if self._file is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if self._file.stream is None:  # A rotation has failed half-way.
                self._file.stream = self._file._open()
            if self._file.stream.tell() + len(lines) > MAX_FILE_BYTES:
                self._file.doRollover()
            self._file.stream.write(lines.decode("utf-8", "replace"))
            self._file.stream.flush()


def _add_file(logger: logging.Logger, path: Path, line_format: str) -> None:
    try:
        handler = RotatingFileHandler(path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES)
    except OSError as error:
        logging.getLogger("osp.logs").warning("no %s: %s", path.name, error)
        logger.addHandler(logging.NullHandler())
        return
    handler.setFormatter(logging.Formatter(line_format))
    logger.addHandler(handler)
