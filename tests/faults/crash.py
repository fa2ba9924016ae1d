"""Killed at every point of the way of a row, under load: acknowledged is there once, unknown at most
once, refused never; ready within 5 s.

    crash.py [POINT…]
"""
import os
import random
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bugs import must_fail
from harness.ledger import ACKED, Ledger, Load, requests
from harness.report import Report
from harness.server import ROOT, Clew

READY_LIMIT_S = 5
# A point that is not reached by then is none.
REACHED_LIMIT_S = 25
DAY_S = 86400

# Small files and short waits, so that all happens within seconds.
SHORT = 'wal-segment=1048576,sweep=1,grace=1'

# The hit at which it dies, where the first would come before there is anything to lose.
AT = {
    'wal.before-write': 30,
    'wal.after-write': 30,
    'wal.after-sync': 30,
    'wal.after-ack': 30,
    'wal.rotate-named': 2,
    'wal.rotate-headed': 2,
    'wal.retire-seen': 2,
    'segment.before-parquet': 3,
    'segment.after-parquet': 3,
    'segment.after-index': 3,
    'flush.frozen': 3,
    'flush.before-commit': 2,
    'flush.after-commit': 2,
    'flush.before-checkpoint': 2,
    'catalog.before-commit': 3,
    'catalog.after-commit': 3,
}


# Points that a load does not pass have tests of their own.
ELSEWHERE = {'erase.': 'tests/erase.py', 'backup.': 'tests/backup.py'}


def points():
    """All there are, as the source lists them: none can be forgotten here."""
    source = (ROOT / 'storage/src/fault.rs').read_text()
    found = re.findall(r'"([a-z.-]+)"', re.search(r'POINTS: &\[&str\] = &\[(.*?)\];', source, re.DOTALL)[1])
    return [point for point in found if not point.startswith(tuple(ELSEWHERE))]


def main():
    wanted, report, ledger = sys.argv[1:] or points(), Report('crash'), Ledger()
    if not sys.argv[1:]:
        bugs(report)
    slowest = 0
    with Clew('--retention', '1d') as clew:
        for point in wanted:
            def one(point=point):
                nonlocal slowest
                slowest = max(slowest, killed_at(clew, ledger, point))
            report.case(f'killed at {point}', one)
        report.case(f'all {len(ledger.requests)} requests at the end', ledger.verify, clew)
    print(f'  {ledger}; ready after {slowest:.2f} s at most')
    report.finish()


def bugs(report):
    """Each is found by a kill at one point."""
    must_fail(report, 'ack before the log is written', once, 'wal.before-write', 'bug.ack-before-wal=on')
    must_fail(report, 'checkpoint that is not committed', once, 'flush.frozen', 'bug.lose-checkpoint=on', 3)
    must_fail(report, 'merge that keeps its sources', once, 'merge.after-commit', 'bug.keep-sources=on')
    must_fail(report, 'clearing of live files', once, 'clear.orphan', 'bug.clear-live=on', 8)


def once(point, bug, at=None):
    with Clew('--retention', '1d') as clew:
        ledger = Ledger()
        killed_at(clew, ledger, point, bug, at)
        ledger.totals(clew)


def killed_at(clew, ledger, point, bug='', at=None):
    """Loads until the server dies, starts it again, compares. Seconds until it was ready."""
    at = at or AT.get(point, 1)
    faults = ','.join(filter(None, [f'{point}=crash@{at}', SHORT, bug]))
    if clew.process and clew.process.poll() is None:
        clew.kill()
    since, seed = len(ledger.requests), random.random()
    try:
        clew.start(faults)
    except AssertionError:
        # Some points are passed as it starts.
        assert died_at(clew, point), clew.log_tail()
    else:
        prepare(clew, point)
        with Load(clew, ledger, seed, flush_every_s=0.1):
            end = time.monotonic() + REACHED_LIMIT_S
            while clew.process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            reached = clew.process.poll() is not None
            if not reached:
                clew.kill()
        assert reached, f'{point} was not reached within {REACHED_LIMIT_S} s'
        assert died_at(clew, point), clew.log_tail()
    start = time.monotonic()
    clew.start(SHORT)
    took = time.monotonic() - start
    assert took < READY_LIMIT_S, f'ready after {took:.1f} s'
    ledger.verify(clew, since)
    ledger.settle(clew)
    return took


def died_at(clew, point):
    return clew.process.poll() == -9 and f'fault: killed at {point}' in clew.log_tail()


def prepare(clew, point):
    """What only this point looks at."""
    if point.startswith('retention.'):
        # Rows that retention takes away whole: nothing is promised of them.
        # In a segment of their own.
        clew.flush()
        past = Ledger()
        past.requests = requests(random.Random(1), age_s=3 * DAY_S)
        for sent in past.requests:
            past.send(clew, sent)
        assert len(past.of(ACKED)) == 2, f'not stored: {past.refusals_by_status}'
        clew.flush()
    if point == 'clear.orphan':
        orphan = clew.data / 'lake/main/spans/orphan.parquet'
        orphan.parent.mkdir(parents=True, exist_ok=True)
        orphan.write_bytes(b'never committed')
        os.utime(orphan, (time.time() - DAY_S,) * 2)


if __name__ == '__main__':
    main()
