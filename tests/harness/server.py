"""Starts the binary on free loopback ports, kills it, starts it again."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import http

ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT_S = 30
STOP_LIMIT_S = 20


def binary():
    """The program under test: $CLEW_BIN, or the release build in the target directory."""
    target = os.environ.get('CARGO_TARGET_DIR') or ROOT / 'target'
    path = Path(os.environ.get('CLEW_BIN') or Path(target) / 'release' / 'clew')
    if not os.access(path, os.X_OK):
        raise SystemExit(f'there is no binary at {path}: run `tests/run build` first')
    return path


class Clew:
    """A running server on a data directory of its own, which goes when the context ends.

    `http`, `otlp_http`, `otlp_grpc` are base URLs; they change with every start.
    """

    def __init__(self, *options, data=None, environment=None):
        """`data` is a directory elsewhere, which stays; `environment` adds variables."""
        self.options = options
        self.environment = environment or {}
        self.root = Path(tempfile.mkdtemp(prefix='clew-test-'))
        self.data = Path(data) if data else self.root / 'data'
        self.log = self.root / 'log'
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, faults='', wait=True):
        """Returns when the server says that it is ready, or at once when it listens. `faults`: see storage/src/fault.rs."""
        out = self.root / f'stdout-{time.monotonic_ns()}'
        command = [binary(), 'serve', '--data-dir', self.data, '--http', '127.0.0.1:0',
                   '--otlp-grpc', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0', *self.options]
        # The server must not see settings that were meant for something else.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(('CLEW_', 'OTEL_'))}
        environment |= self.environment | {'CLEW_FAULTS': faults}
        with open(out, 'wb') as stdout, open(self.log, 'ab') as stderr:
            self.process = subprocess.Popen(command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL,
                                            env=environment)
        started = time.monotonic()
        bound = self._wait(lambda: self._listening(out), 'line of bound addresses')
        self.listening_after_s = time.monotonic() - started
        self.http = url(bound['http'])
        self.otlp_http = url(bound['otlp_http'])
        self.otlp_grpc = url(bound['otlp_grpc'])
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        self._wait(self._ready, '200 from /readyz')

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'the server did not stop within {STOP_LIMIT_S} s of SIGTERM') from None

    def rss_bytes(self):
        """Memory in use now."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmRSS'))

    def log_tail(self):
        return self.log.read_text(errors='replace')[-2000:]

    def get(self, path, **parameters):
        """JSON of the own API; an assertion error unless 200."""
        return http.get(f'{self.http}/api/v1/{path}', parameters).expect(200).json()

    def flush(self):
        return http.post(f'{self.http}/api/v1/flush', b'').expect(200).json()

    def _listening(self, out):
        for line in out.read_text(errors='replace').splitlines(keepends=True):
            if line.startswith('{') and line.endswith('\n'):
                event = json.loads(line)
                if event.get('event') == 'listening':
                    return event
        return None

    def _ready(self):
        try:
            return http.get(f'{self.http}/readyz', timeout=2).status == 200
        except OSError:
            return False

    def _wait(self, probe, what):
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            if found := probe():
                return found
            time.sleep(0.02)
        raise AssertionError(f'clew serve gave no {what} (exit code {self.process.poll()}):\n{self.log_tail()}')


def url(address):
    return address if '://' in address else f'http://{address}'


def eventually(check, limit_s=5):
    """Result of `check` once it raises no assertion error; searchable within a second is the promise,
    the rest is for a slow machine."""
    end = time.monotonic() + limit_s
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
