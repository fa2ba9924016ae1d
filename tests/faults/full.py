"""A full disk: requests are refused within a second as retryable, reads work, and all goes on by itself
within 10 s of there being room. A store that was stopped or killed starts on a full disk too.

    full.py
"""
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bugs import must_fail
from harness import http
from harness.disk import LoopDisk, why_not
from harness.ledger import ACKED, Ledger, Load, requests
from harness.report import Report
from harness.server import Clew

REFUSED_WITHIN_S, RESUMED_WITHIN_S, READY_LIMIT_S = 1, 10, 5
# Log files of 64 MiB would not fit many times into this disk.
DISK_MIB, SHORT = 96, 'wal-segment=4194304'


def main():
    report = Report('full')
    if reason := why_not():
        report.skip('full disk', reason)
        report.finish()
    must_fail(report, 'ack of what was refused', with_bug)
    must_fail(report, 'start without its reserve', without_reserve)
    ledger = Ledger()
    with LoopDisk(DISK_MIB) as disk, Clew(data=disk.path / 'data') as clew:
        report.case('a store with some of everything', some, clew, ledger)
        report.case('full: refused as retryable, reads work', refused, disk, clew, ledger)
        report.case('goes on when there is room', resumes, disk, clew, ledger)
        report.case('nothing is lost', whole, clew, ledger)
        for how in ('killed', 'stopped'):
            report.case(f'{how}, then on a full disk, it starts and reads', starts, disk, clew, ledger, how)
            report.case('and goes on when there is room', resumes, disk, clew, ledger)
            report.case('nothing is lost', whole, clew, ledger)
        clew.kill()
    print(f'  {ledger}')
    report.finish()


def with_bug():
    ledger = Ledger()
    with LoopDisk(DISK_MIB) as disk, Clew(data=disk.path / 'data') as clew:
        try:
            clew.kill()
            clew.start(f'{SHORT},bug.ack-refused=on')
            disk.fill()
            with Load(clew, ledger, 1, flush_every_s=None):
                time.sleep(2)
            clew.kill()
            (disk.path / 'ballast').unlink()
            clew.start(SHORT)
            ledger.verify(clew)
        finally:
            clew.kill()


def without_reserve():
    ledger = Ledger()
    with LoopDisk(DISK_MIB) as disk, Clew(data=disk.path / 'data') as clew:
        try:
            some(clew, ledger)
            starts(disk, clew, ledger, 'stopped', reserve=False)
        finally:
            clew.kill()


def some(clew, ledger):
    clew.kill()
    clew.start(SHORT)
    with Load(clew, ledger, 1, flush_every_s=0.5):
        time.sleep(1.5)
    assert ledger.of(ACKED)


def refused(disk, clew, ledger):
    """Log files that were made ahead take some more; then every request is refused."""
    end, times, chance = time.monotonic() + 30, [], random.Random(2)
    while len(times) < 20:
        assert time.monotonic() < end, 'the full disk did not show'
        disk.fill()
        for sent in requests(chance):
            ledger.requests.append(sent)
            start = time.monotonic()
            answer = ledger.send(clew, sent)
            assert answer is not None, 'no answer'
            if answer.status != 200:
                times.append(time.monotonic() - start)
                assert answer.status == 503, f'status {answer.status}: {answer.body[:200]}'
                assert int(answer.headers['Retry-After']) > 0, dict(answer.headers)
    assert max(times) < REFUSED_WITHIN_S, f'refused after {max(times):.2f} s'
    print(f'          refused after {max(times) * 1000:.0f} ms at most: {answer.body[:160]!r}')
    assert http.get(f'{clew.http}/readyz').status == 503, 'it says that it is ready to take requests'
    ledger.verify(clew)


def resumes(disk, clew, ledger):
    (disk.path / 'ballast').unlink()
    start = time.monotonic()
    for sent in (sent for _ in range(10**6) for sent in requests(random.Random())):
        ledger.requests.append(sent)
        answer = ledger.send(clew, sent)
        took = time.monotonic() - start
        if answer is not None and answer.status == 200:
            break
        assert took < RESUMED_WITHIN_S, f'refused after {took:.1f} s: {answer and answer.body[:200]}'
        time.sleep(0.05)
    print(f'          takes requests {took:.2f} s after there was room')
    clew.flush()


def whole(clew, ledger):
    ledger.verify(clew)
    ledger.settle(clew)
    ledger.totals(clew)


def starts(disk, clew, ledger, how, reserve=True):
    """What is free is taken before the server ends and after: not one block is left for the start."""
    with Load(clew, ledger, 3, flush_every_s=None):
        time.sleep(0.5)
    if how == 'stopped':
        # While there is room, so that SQLite tidies up what it then has to make again.
        assert clew.stop() == 0, clew.log_tail()
    disk.fill()
    clew.kill()
    if not reserve:
        (disk.path / 'data/reserve').unlink()
    disk.fill()
    start = time.monotonic()
    clew.start(SHORT)
    took = time.monotonic() - start
    assert took < READY_LIMIT_S, f'ready after {took:.1f} s'
    print(f'          ready after {took:.2f} s')
    ledger.verify(clew)


if __name__ == '__main__':
    main()
