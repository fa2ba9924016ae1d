"""`clew backup` of a server under load, killed, repeated, restored: what was acknowledged before it began is there once.

    backup.py [ROUNDS [SEED]]
"""
import copy
import os
import random
import subprocess
import sys
import time

from harness.ledger import ACKED, UNKNOWN, Ledger, Load
from harness.report import Report
from harness.server import Clew, binary

# Log files of 1 MiB go soon after a flush, segments a second after their merge: what a copy must live with.
HASTE = 'wal-segment=1048576,grace=1,sweep=1'
# The catalogue before the log, and time for the log to go on between the two.
PLANTED = 'bug.backup-catalog-first=on,backup.before-log=pause:1500'


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f'  seed {seed}')
    chance, ledger, report = random.Random(seed), Ledger(), Report('backup')
    with Clew() as clew:
        clew.stop()
        clew.start(HASTE)
        with Load(clew, ledger, chance.random(), pause_s=0.02):
            time.sleep(1.5)
            for number in range(rounds):
                options = ['--link'] if number % 2 else []
                report.case(f'backup {number + 1} under load {" ".join(options)}', under_load, clew, ledger, f'b{number}', options)
            report.case('files that go while they are copied', under_load, clew, ledger, 'vanish', [],
                        'backup.after-catalog=pause:3000@1')
            report.case('kill -9 of the backup, again and again', killed, clew, ledger, chance)
            report.case('a planted bug is noticed', planted, clew, ledger)
        ledger.settle(clew)
        report.case('names that must not be taken', names, clew)
        assert clew.stop() == 0
        report.case('of a server that does not run', stopped, clew, ledger)
        report.case('damage is not copied in silence', damaged, clew)
        report.case('PostgreSQL: it says how', postgres, clew)
    print(f'  {ledger}')
    report.finish()


def backup(clew, to, *options, faults='', code=0):
    """Output of the command, whose exit code must be this."""
    done = subprocess.run(command(clew, to, options), env=environment(faults), capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f'exit code {done.returncode}: {done.stdout} {done.stderr}'
    return done.stdout + done.stderr


def command(clew, to, options=()):
    return [binary(), 'backup', '--data-dir', clew.data, '--to', to, *options]


def environment(faults):
    return {**{key: value for key, value in os.environ.items() if not key.startswith('CLEW_')}, 'CLEW_FAULTS': faults}


def under_load(clew, ledger, name, options, faults=''):
    to, known = clew.root / name, snapshot(ledger)
    begun = time.monotonic()
    said = backup(clew, to, *options, faults=faults)
    print(f'    {said[said.index(f"{to}: "):].split(": ", 1)[1].splitlines()[0]}, {time.monotonic() - begun:.2f} s')
    restored(to, known, ledger)


def snapshot(ledger):
    """Requests that are acknowledged now."""
    return {id(sent) for sent in list(ledger.requests) if sent.fate == ACKED}


def restored(to, known, ledger):
    """What was acknowledged before is there once; what came later may be there, whole and once."""
    assert known, 'nothing was acknowledged'
    then = Ledger()
    for sent in list(ledger.requests):
        sent = copy.copy(sent) if id(sent) in known else later(sent)
        then.requests.append(sent)
    with Clew(data=to) as store:
        then.verify(store)
        assert store.stop() == 0
    checked(to)


def later(sent):
    sent = copy.copy(sent)
    sent.fate = UNKNOWN
    return sent


def checked(to, code=0):
    done = subprocess.run([binary(), 'check', '--data-dir', to], capture_output=True, text=True, timeout=60)
    assert done.returncode == code and (code or 'DAMAGE' not in done.stdout), done.stdout + done.stderr
    return done.stdout


def killed(clew, ledger, chance):
    to, finished = clew.root / 'killed', 0
    partial = to.with_name('killed.partial')
    for _ in range(8):
        known = snapshot(ledger)
        # Slowly, so that a kill falls somewhere into it.
        process = subprocess.Popen(command(clew, to), env=environment('backup.before-file=pause:20'),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, 0.6))
        process.kill()
        process.wait()
        if to.exists():
            assert not partial.exists()
            restored(to, known, ledger)
            to.rename(clew.root / f'killed-{finished}')
            finished += 1
        elif (partial / 'catalog.db').exists():
            # All but the last step: it says so and leaves it.
            assert 'whole data directory' in backup(clew, to, code=1)
            restored(partial, known, ledger)
            partial.rename(clew.root / f'killed-{finished}')
            finished += 1
        elif partial.exists():
            done = subprocess.run([binary(), 'check', '--data-dir', partial], capture_output=True, text=True)
            assert done.returncode == 1 and 'no data directory' in done.stderr, done.stdout + done.stderr
    known = snapshot(ledger)
    backup(clew, to)
    assert not partial.exists()
    restored(to, known, ledger)


def planted(clew, ledger):
    to, known = clew.root / 'planted', snapshot(ledger)
    # Rows that become segments after the catalogue is copied are not in it, and the log has let go of them by
    # the time it is copied. The backup sees a gap in the log by itself; made to go on, it is wrong.
    said = backup(clew, to, faults=PLANTED, code=1)
    assert 'lost' in said, said
    backup(clew, to, '--keep-damaged', faults=PLANTED, code=1)
    try:
        restored(to, known, ledger)
    except AssertionError:
        return
    raise AssertionError('the log copied after the catalogue was taken for a backup')


def names(clew):
    (clew.root / 'taken').mkdir()
    assert 'exists already' in backup(clew, clew.root / 'taken', code=1)
    assert 'in the data directory itself' in backup(clew, clew.data / 'lake' / 'b', code=1)
    stranger = clew.root / 'other.partial'
    stranger.mkdir()
    (stranger / 'letter').write_text('mine')
    assert 'no unfinished backup' in backup(clew, clew.root / 'other', code=1)
    assert (stranger / 'letter').exists()


def stopped(clew, ledger):
    to = clew.root / 'stopped'
    backup(clew, to)
    restored(to, snapshot(ledger), ledger)
    with Clew(data=to) as store:
        ledger.totals(store)


def damaged(clew):
    victim = max(clew.data.glob('lake/main/spans/*.parquet'), key=lambda path: path.stat().st_size)
    contents = bytearray(victim.read_bytes())
    contents[len(contents) // 2] ^= 1
    victim.write_bytes(contents)
    to = clew.root / 'damaged'
    assert victim.name in backup(clew, to, code=1)
    assert not to.exists()
    assert 'DAMAGE' in backup(clew, to, '--keep-damaged', code=1)
    assert victim.name in checked(to, code=1)


def postgres(clew):
    assert 'pg_dump' in backup(clew, clew.root / 'pg', '--catalog', 'postgres://localhost/clew', code=2)


if __name__ == '__main__':
    main()
