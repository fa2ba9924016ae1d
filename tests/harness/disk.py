"""A disk of its own for a test: a file with ext4 on it, that can lose power and be full."""
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from pathlib import Path

# EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH (linux/ext4.h): from now on nothing reaches the disk,
# not even the journal; what was not synced before is lost.
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2


def why_not():
    """What this machine lacks, or None."""
    if os.geteuid() != 0:
        return 'mounting a file system needs root'
    missing = [tool for tool in ('mkfs.ext4', 'losetup', 'mount', 'umount') if not shutil.which(tool)]
    if missing:
        return f'there is no {", ".join(missing)}'
    try:
        with LoopDisk(16):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f'no loop device can be mounted ({error})'


class LoopDisk:
    """Mounted at `path` while the context lasts."""

    def __init__(self, mib):
        self.root = Path(tempfile.mkdtemp(prefix='clew-disk-'))
        self.image, self.path, self.mib = self.root / 'image', self.root / 'mnt', mib
        self.path.mkdir()

    def __enter__(self):
        try:
            with open(self.image, 'wb') as image:
                image.truncate(self.mib << 20)
            # No blocks for root alone, and all tables written now: what is free is free for the test.
            run('mkfs.ext4', '-q', '-F', '-m', '0', '-E', 'lazy_itable_init=0,lazy_journal_init=0', self.image)
            self.mount()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if os.path.ismount(self.path):
            self.unmount()
        shutil.rmtree(self.root, ignore_errors=True)

    def mount(self):
        run('mount', '-o', 'loop', self.image, self.path)

    def unmount(self):
        for _ in range(50):
            if subprocess.run(['umount', self.path], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        run('umount', '-l', self.path)

    def cut_power(self):
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, SHUTDOWN, struct.pack('I', NO_LOG_FLUSH))
        finally:
            os.close(directory)

    def power_on(self):
        """After whoever used it has ended."""
        self.unmount()
        self.mount()

    def fill(self, leave_bytes=0):
        """Takes all room but so much; the file that holds it."""
        ballast = self.path / 'ballast'
        with open(ballast, 'wb') as file:
            for chunk in (1 << 20, 1 << 16, 1 << 12):
                while self.free() > leave_bytes + chunk:
                    try:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, chunk)
                    except OSError:
                        break
        return ballast

    def free(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


def run(*command):
    subprocess.run(command, check=True, capture_output=True)
