"""The command line. Exit codes are MongoDB's: 0 clean, 1 uncaught error, 2 bad options, 48 can't listen."""

import asyncio
import logging
import logging.handlers
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from standin import config, server

EXIT_BAD_OPTIONS = 2
EXIT_NET_ERROR = 48


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the router until it is stopped. Returns the exit code."""
    try:
        settings = config.parse(sys.argv[1:] if arguments is None else arguments)
        _log_to(settings.log_path)
        if settings.pid_path is not None:
            settings.pid_path.write_text(f"{os.getpid()}\n")
    except config.SettingsError as error:
        print(f"mongos stand-in: {error}", file=sys.stderr)
        return EXIT_BAD_OPTIONS
    except OSError as error:
        print(f"mongos stand-in: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_OPTIONS
    try:
        asyncio.run(server.run(settings))
    except server.StartError as error:
        logging.getLogger(__name__).error("%s", error)
        if settings.log_path is not None:
            print(f"mongos stand-in: {error}", file=sys.stderr)
        return EXIT_NET_ERROR
    except KeyboardInterrupt:
        return 0
    return 0


def _log_to(path: Path | None) -> None:
    """Log to standard error, or to a file that log rotation may move away."""
    handler = logging.handlers.WatchedFileHandler(path) if path else logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
