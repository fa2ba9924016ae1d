"""kill -9 under load, again and again: what was acknowledged is there once, what was not at most once.

    kill9.py [ROUNDS [SEED]]

Requests without an answer are sent again after the restart, as an exporter does, and must then count once.
"""
import random
import sys
import time

from harness.ledger import Ledger, Load
from harness.report import Report
from harness.server import Clew

READY_LIMIT_S = 5


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f'  seed {seed}')
    chance, ledger, report = random.Random(seed), Ledger(), Report('kill9')
    with Clew() as clew:
        for number in range(1, rounds + 1):
            report.case(f'round {number}', one_round, clew, ledger, chance)
        report.case(f'all {len(ledger.requests)} requests at the end', ledger.verify, clew)
        report.case('totals', ledger.totals, clew)
        report.case('clew stops on SIGTERM with 0', stops, clew)
        clew.start()
        report.case('and after a clean restart', ledger.totals, clew)
    print(f'  {ledger}')
    report.finish()


def one_round(clew, ledger, chance):
    with Load(clew, ledger, chance.random()) as load:
        time.sleep(chance.uniform(0.1, 1.2))
        clew.kill()
    assert load.acked(), 'nothing was acknowledged before the kill'
    start = time.monotonic()
    clew.start()
    took = time.monotonic() - start
    assert took < READY_LIMIT_S, f'ready after {took:.1f} s'
    ledger.verify(clew, load.since)
    ledger.settle(clew)


def stops(clew):
    code = clew.stop()
    assert code == 0, f'exit code {code}'


if __name__ == '__main__':
    main()
