"""Durable: what several processes need to write one file that outlives them, on any system."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def lock(file: BinaryIO) -> None:
        """Wait until no other process or thread is at the file; closing it, or being killed, gives it back."""
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def keep_name(folder: Path) -> None:
        """As below."""
        del folder  # Windows writes a new file's name down with the file
else:
    import fcntl

    def lock(file: BinaryIO) -> None:
        """Wait until no other process or thread is at the file; closing it, or being killed, gives it back."""
        fcntl.flock(file, fcntl.LOCK_EX)

    def keep_name(folder: Path) -> None:
        """A new file's name is on disk only when its folder is."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
