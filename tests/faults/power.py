"""Power cuts under load, on an ext4 of its own: what was acknowledged is there once.

    power.py [CYCLES]
"""
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bugs import must_fail
from harness.disk import LoopDisk, why_not
from harness.ledger import Ledger, Load
from harness.report import Report
from harness.server import Clew

READY_LIMIT_S = 5
# Small log files, so that cuts fall into their making and their retirement as well.
SHORT = 'wal-segment=1048576,sweep=1,grace=1'


def main():
    cycles, report = int(sys.argv[1]) if len(sys.argv) > 1 else 10, Report('power')
    if reason := why_not():
        report.skip('power cuts', reason)
        report.finish()
    must_fail(report, 'skipped fsync', with_bug, 'bug.skip-fsync=on')
    ledger, slowest = Ledger(), 0
    with LoopDisk(1024) as disk, Clew(data=disk.path / 'data') as clew:
        for number in range(1, cycles + 1):
            def cycle():
                nonlocal slowest
                slowest = max(slowest, one_cycle(disk, clew, ledger))
            report.case(f'power cut {number}', cycle)
        report.case(f'all {len(ledger.requests)} requests at the end', ledger.verify, clew)
        report.case('totals', ledger.totals, clew)
        clew.kill()
    print(f'  {ledger}; ready after {slowest:.2f} s at most')
    report.finish()


def with_bug(bug):
    ledger = Ledger()
    with LoopDisk(512) as disk, Clew(data=disk.path / 'data') as clew:
        try:
            for _ in range(3):
                one_cycle(disk, clew, ledger, f'{SHORT},{bug}')
        finally:
            clew.kill()


def one_cycle(disk, clew, ledger, faults=SHORT):
    """Seconds until it was ready again."""
    with Load(clew, ledger, random.random(), flush_every_s=0.2, timeout=5) as load:
        time.sleep(random.uniform(0.2, 1))
        disk.cut_power()
        clew.kill()
    assert load.acked(), 'nothing was acknowledged before the cut'
    disk.power_on()
    start = time.monotonic()
    clew.start(faults)
    took = time.monotonic() - start
    assert took < READY_LIMIT_S, f'ready after {took:.1f} s'
    ledger.verify(clew, load.since)
    ledger.settle(clew)
    return took


if __name__ == '__main__':
    main()
