"""A real S3 server over a directory, for the time of a test."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ACCESS, SECRET, REGION, BUCKET = 'clew', 'clew-test-secret', 'us-east-1', 'clew'
START_LIMIT_S = 20


class Gateway:
    """versitygw; `address` is host and port, `files` are the objects as (path, bytes)."""

    def __init__(self, program):
        self.program, self.root = program, Path(tempfile.mkdtemp(prefix='clew-s3-'))
        (self.root / 'data' / BUCKET).mkdir(parents=True)

    def __enter__(self):
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.address = free.getsockname()
        command = [self.program, '--port', '%s:%d' % self.address, '--access', ACCESS, '--secret', SECRET,
                   '--region', REGION, '--quiet', '--keep-alive', 'posix', str(self.root / 'data')]
        with open(self.root / 'log', 'wb') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(self.address) == 0:
                    return self
            time.sleep(0.05)
        raise AssertionError(f'versitygw did not start: {(self.root / "log").read_text()}')

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def files(self, prefix):
        """Objects below a prefix, with their bytes."""
        root = self.root / 'data' / BUCKET / prefix
        found = {str(path.relative_to(root)): path.stat().st_size for path in root.rglob('*') if path.is_file()}
        # Uploads in parts lie in folders of the server's own until they are whole.
        return {path: size for path, size in found.items() if not path.startswith('.')}

    def environment(self, endpoint):
        """What a client needs to know."""
        return {'AWS_ACCESS_KEY_ID': ACCESS, 'AWS_SECRET_ACCESS_KEY': SECRET, 'AWS_REGION': REGION,
                'AWS_ENDPOINT_URL': endpoint, 'AWS_ALLOW_HTTP': 'true',
                'NO_PROXY': '127.0.0.1', 'no_proxy': '127.0.0.1'}


def program(argument=None):
    """The server's binary: given, or in the path."""
    found = argument or os.environ.get('VERSITYGW') or shutil.which('versitygw')
    if not found or not os.access(found, os.X_OK):
        raise SystemExit('there is no versitygw: run `tests/run s3`')
    return found
