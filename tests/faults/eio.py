"""A disk that answers EIO: to the log's fsync, to the catalogue's writes, to reads of segments. Requests are
refused as retryable, answers say what cannot be read, and once the disk works again nothing is missing.

    eio.py
"""
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bugs import must_fail
from harness import http
from harness.ledger import ACKED, REFUSED, Ledger, Load
from harness.report import Report
from harness.server import Clew, eventually

SHORT = 'wal-segment=1048576'


def main():
    report = Report('eio')
    compiler = shutil.which('cc')
    if not compiler:
        report.skip('EIO', 'there is no C compiler')
        report.finish()
    with tempfile.TemporaryDirectory(prefix='clew-eio-') as folder:
        shim = Path(folder) / 'eio.so'
        subprocess.run([compiler, '-shared', '-fPIC', '-O1', '-o', shim, Path(__file__).parent / 'eio.c', '-ldl'], check=True)
        must_fail(report, 'ack of what was refused', log_sync, shim, f'{SHORT},bug.ack-refused=on')
        report.case('fsync of the log fails: refused as retryable, nothing acknowledged is lost', log_sync, shim)
        report.case('the catalogue cannot be written: rows stay in the log', catalogue, shim)
        report.case('segments cannot be read: it is said, and over when they can', segments, shim)
    report.finish()


class Failing:
    """A server whose calls on some paths fail while the switch is on."""

    def __init__(self, shim, calls, path, faults=SHORT):
        self.folder = tempfile.TemporaryDirectory(prefix='clew-eio-')
        self.switch = Path(self.folder.name) / 'on'
        self.clew = Clew(environment={'LD_PRELOAD': str(shim), 'EIO_CALLS': calls, 'EIO_PATH': path, 'EIO_SWITCH': str(self.switch)})
        self.faults = faults

    def __enter__(self):
        self.clew.start(self.faults)
        return self

    def __exit__(self, *_):
        self.off()
        if self.clew.process.poll() is None:
            self.clew.kill()
        self.clew.__exit__()
        self.folder.cleanup()

    def on(self):
        self.switch.touch()

    def off(self):
        self.switch.unlink(missing_ok=True)


def log_sync(shim, faults=SHORT):
    ledger = Ledger()
    with Failing(shim, 'fdatasync', '/wal/', faults) as failing:
        clew = failing.clew
        with Load(clew, ledger, 1):
            time.sleep(0.7)
            failing.on()
            time.sleep(0.7)
            failing.off()
            time.sleep(0.7)
            failing.on()
            time.sleep(0.3)
            clew.kill()
        failing.off()
        clew.start(SHORT)
        ledger.verify(clew)
        assert ledger.of(ACKED) and ledger.of(REFUSED), str(ledger)
        retryable = ledger.refusals_by_status
        assert set(retryable) == {503} and all(after for _, after in retryable.values()), retryable
        ledger.settle(clew)
        ledger.totals(clew)
        print(f'          {ledger}')


def catalogue(shim):
    ledger = Ledger()
    with Failing(shim, 'fdatasync fsync pwrite', '/catalog.db') as failing:
        clew = failing.clew
        with Load(clew, ledger, 2):
            time.sleep(0.5)
            failing.on()
            time.sleep(1)
        answer = http.post(f'{clew.http}/api/v1/flush', b'')
        assert answer.status == 503, f'the flush did not fail: {answer.status}'
        ledger.verify(clew)
        failing.off()
        eventually(lambda: http.post(f'{clew.http}/api/v1/flush', b'').expect(200), 15)
        ledger.verify(clew)
        clew.kill()
        clew.start(SHORT)
        ledger.verify(clew)
        ledger.settle(clew)
        ledger.totals(clew)


def segments(shim):
    ledger = Ledger()
    with Failing(shim, 'pread', '/lake/') as failing:
        clew = failing.clew
        with Load(clew, ledger, 3, flush_every_s=None):
            time.sleep(0.5)
        clew.flush()
        # Open files and what was decoded of them would hide the disk.
        clew.kill()
        clew.start(SHORT)
        failing.on()
        trace = ledger.of(ACKED)[0].trace
        for path, parameters in ((f'traces/{trace}', {}), ('traces', {}), ('logs', {}), ('services', {})):
            answer = http.get(f'{clew.http}/api/v1/{path}', parameters)
            said = answer.status >= 500 or b'cannot be read' in answer.body
            assert said, f'{path}: {answer.status} {answer.body[:200]}'
        failing.off()
        ledger.verify(clew)


if __name__ == '__main__':
    main()
