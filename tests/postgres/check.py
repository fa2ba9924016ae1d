"""The catalogue in PostgreSQL: several processes on one lake, and a database that goes away and comes back.

    check.py [SEED]

Ledgers of what was acknowledged are here, outside of the servers.
"""
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cluster import PASSWORD, Cluster  # noqa: E402
from faults.bugs import must_fail  # noqa: E402
from harness import http, otlp  # noqa: E402
from harness.ledger import ACKED, Ledger, Load, requests, wrong_with  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, eventually  # noqa: E402

# Requests are refused at four times this, bytes of rows in memory.
SMALL = 'flush-bytes=4000000'
# The answer to a commit is lost: the commit is there.
LOST_ANSWER = 'catalog.after-commit=error@2'
RESUMED_WITHIN_S = 15


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10**6)
    print(f'  seed {seed}')
    chance, report = random.Random(seed), Report('postgres')
    with Cluster() as cluster:
        must_fail(report, 'numbering of rows as if alone', alike, cluster.create('alike'), chance, 'bug.own-chapters=on')
        two_processes(report, cluster, chance)
        must_fail(report, 'loss of the answer to a commit', lost_answers, cluster.create('lost1'), chance, 'bug.skip-settle=on')
        report.case('a commit whose answer is lost counts once', lost_answers, cluster.create('lost2'), chance)
        database_stops(report, cluster, chance)
        report.case('tenants have a schema each, for several processes', tenants, cluster)
        report.case('a database that never answers ends the start with a sentence', never_answers)
        report.case('what would lose sight of rows is refused', refused, cluster)
    report.finish()


# --- several processes --------------------------------------------------------------------------

def two_processes(report, cluster, chance):
    url, lake = cluster.create('two'), tempfile.TemporaryDirectory(prefix='clew-lake-')
    with lake, of(url, lake.name) as one, of(url, lake.name) as two:
        both, ledgers = (one, two), (Ledger(), Ledger())
        report.case('two processes fill one lake at once', fill, both, ledgers, chance)
        report.case('each sees all once it is flushed', all_seen, both, ledgers)
        report.case('row ids are distinct', row_ids, both, ledgers)
        report.case('a process sees a flush of the other within 3 s', seen_soon, both, ledgers, chance)
        for number in range(2):
            report.case(f'kill -9 of one, round {number + 1}', killed, both, ledgers, chance)
        report.case('each sees all', all_seen, both, ledgers)
        report.case('compaction merges what both wrote', compacted, both, ledgers, chance, cluster)
        report.case('a copy of a data directory is refused once the first writes on', copied, both, url, lake.name)
        report.case('`clew check` of each finds them whole', checked, both, url, lake.name)
        report.case('the password is nowhere', no_password, both)
        print(f'  {ledgers[0]}; {ledgers[1]}')


def of(url, lake):
    """A process on the shared lake."""
    return Clew('--store', f'file://{lake}', environment={'CLEW_CATALOG': url})


def alike(url, chance, bug):
    with tempfile.TemporaryDirectory(prefix='clew-lake-') as lake:
        both, ledgers = (of(url, lake), of(url, lake)), (Ledger(), Ledger())
        try:
            for clew, ledger in zip(both, ledgers):
                # From the first start: a process keeps the numbers that it once got.
                clew.start(bug)
                send(clew, ledger, requests(chance))
            all_seen(both, ledgers)
            row_ids(both, ledgers)
        finally:
            for clew in both:
                clew.__exit__()


def send(clew, ledger, some):
    for sent in some:
        ledger.requests.append(sent)
        ledger.send(clew, sent)
        assert sent.fate == ACKED, sent.fate


def fill(both, ledgers, chance):
    with Load(both[0], ledgers[0], chance.random(), 2, pause_s=0.01), Load(both[1], ledgers[1], chance.random(), 2, pause_s=0.01):
        time.sleep(3)
    for ledger in ledgers:
        assert len(ledger.of(ACKED)) > 50, ledger


def all_seen(both, ledgers):
    for clew in both:
        clew.flush()
    together = joined(ledgers)
    for clew in both:
        together.totals(clew)
        together.verify(clew)


def joined(ledgers):
    together = Ledger()
    together.requests = [sent for ledger in ledgers for sent in ledger.requests]
    return together


def row_ids(both, ledgers):
    logs = sum(sent.rows for sent in joined(ledgers).requests if sent.signal == 'logs')
    for clew in both:
        answer = http.post(f'{clew.http}/api/v1/sql', {'query': 'SELECT count(*), count(DISTINCT row_id) FROM logs'})
        found = [int(count) for count in answer.expect(200).json()['rows'][0]]
        assert found == [logs, logs], f'{found}, not {logs} twice'


def seen_soon(both, ledgers, chance):
    for number, clew in enumerate(both):
        send(clew, ledgers[number], requests(chance))
        clew.flush()
        other, start = both[1 - number], time.monotonic()
        for sent in ledgers[number].requests[-2:]:
            eventually(lambda sent=sent: absent(wrong_with(other, sent)), 3)
        print(f'    seen after {time.monotonic() - start:.1f} s')


def absent(wrong):
    assert wrong is None, wrong


def killed(both, ledgers, chance):
    """One dies while both write; the other goes on, and what the dead one acknowledged is there again."""
    victim = chance.randrange(2)
    with Load(both[1 - victim], ledgers[1 - victim], chance.random(), workers=1, pause_s=0.01):
        with Load(both[victim], ledgers[victim], chance.random(), workers=2, pause_s=0.01) as load:
            time.sleep(chance.uniform(0.3, 1.5))
            both[victim].kill()
        assert load.acked(), 'nothing was acknowledged before the kill'
        time.sleep(0.5)
        both[victim].start()
        ledgers[victim].verify(both[victim], load.since)
        ledgers[victim].settle(both[victim])
    assert all(sent.fate == ACKED for sent in ledgers[1 - victim].requests), 'the other one refused'


def compacted(both, ledgers, chance, cluster):
    """Flushes of both alternate until one process has merged them; both see the rows once, all the while."""
    merges = "SELECT count(*) FROM ducklake_snapshot_changes WHERE changes_made LIKE '%deleted%'"
    before = int(cluster.sql(merges, 'two')[0])
    for clew in both:
        clew.kill()
        clew.start('sweep=1')
    stop, wrong = threading.Event(), []

    def watch(clew, expected):
        while not stop.is_set():
            found = clew.get('status')['spans']
            if found < expected:
                wrong.append(f'{found} spans where {expected} were')

    expected = sum(sent.rows for sent in joined(ledgers).requests if sent.signal == 'traces')
    watchers = [threading.Thread(target=watch, args=(clew, expected)) for clew in both]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(10):
            for clew, ledger in zip(both, ledgers):
                send(clew, ledger, requests(chance))
                clew.flush()
        eventually(lambda: is_more(int(cluster.sql(merges, 'two')[0]), before), 30)
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()
    assert not wrong, wrong[:3]
    all_seen(both, ledgers)
    holders = cluster.sql("SELECT count(*) FROM clew_lease WHERE name = 'maintenance'", 'two')
    assert holders == ['1'], holders


def is_more(found, before):
    assert found > before, 'nothing was merged'


def copied(both, url, lake):
    """Two processes of one writer: the later one speaks for it, the first fails loudly and loses nothing."""
    first = both[0]
    with Clew('--store', f'file://{lake}', environment={'CLEW_CATALOG': url}) as copy:
        copy.kill()
        (copy.data / 'writer').write_text((first.data / 'writer').read_text())
        copy.start()
        http.post(f'{first.otlp_http}/v1/traces', otlp.traces([otlp.span(otlp.trace_id(), start=time.time_ns())])).expect(200)
        refused = http.post(f'{first.http}/api/v1/flush', b'')
        assert refused.status >= 500 and b'another process writes as' in refused.body, (refused.status, refused.body)
        copy.kill()
    # The directory itself is opened again: now it speaks for the writer, and its log is still there.
    first.kill()
    first.start()
    first.flush()


def checked(both, url, lake):
    import subprocess

    from harness.server import binary
    for clew in both:
        assert clew.stop() == 0
    for clew in both:
        done = subprocess.run([binary(), 'check', '--data-dir', clew.data, '--store', f'file://{lake}'], check=False,
                              env={'CLEW_CATALOG': url}, capture_output=True, text=True)
        assert done.returncode == 0 and 'is whole' in done.stdout, done.stdout + done.stderr
        clew.start()


def no_password(both):
    for clew in both:
        status = http.get(f'{clew.http}/api/v1/status').body.decode()
        for name, text in (('the status', status), ('the log', clew.log.read_text(errors='replace'))):
            assert PASSWORD not in text, f'it is in {name}'


# --- the database goes away ---------------------------------------------------------------------

def database_stops(report, cluster, chance):
    url, ledger = cluster.create('stops'), Ledger()
    with Clew(environment={'CLEW_CATALOG': url}) as clew:
        clew.kill()
        clew.start(SMALL)
        for number in range(2):
            report.case(f'the database dies under load, round {number + 1}', dies, cluster, clew, ledger, chance)
        report.case('appends go on to the bound, then 503, and resume', to_the_bound, cluster, clew, ledger)
        report.case('kill -9 while the database is away', killed_meanwhile, cluster, clew, ledger, chance)
        report.case('all is there once', whole, clew, ledger)
        report.case('clew stops with 0', stops, clew)
        print(f'  {ledger}')


def lost_answers(url, chance, bug=''):
    with Clew(environment={'CLEW_CATALOG': url}) as clew:
        clew.kill()
        clew.start(','.join(filter(None, [LOST_ANSWER, bug])))
        ledger, failed = Ledger(), 0
        for _ in range(6):
            send(clew, ledger, requests(chance))
            failed += http.post(f'{clew.http}/api/v1/flush', b'').status >= 500
        if failed != 1:
            raise RuntimeError(f'{failed} flushes failed: not one answer was lost')
        whole(clew, ledger)


def dies(cluster, clew, ledger, chance):
    with Load(clew, ledger, chance.random(), flush_every_s=0.1, pause_s=0.03) as load:
        time.sleep(chance.uniform(0.3, 1.5))
        cluster.stop('immediate')
        time.sleep(chance.uniform(0, 1))
        cluster.start()
        eventually(lambda: http.post(f'{clew.http}/api/v1/flush', b'').expect(200), RESUMED_WITHIN_S)
    assert load.acked(), 'nothing was acknowledged'
    ledger.verify(clew, load.since)
    settle(clew, ledger)


def settle(clew, ledger):
    """As an exporter does, which waits where it is told to."""
    for sent in ledger.requests:
        if sent.fate != ACKED:
            eventually(lambda sent=sent: ledger.send(clew, sent).expect(200), RESUMED_WITHIN_S)
            ledger.retried += 1


def to_the_bound(cluster, clew, ledger):
    clew.flush()
    cluster.stop('immediate')
    chance, taken, refused = random.Random(1), 0, None
    end = time.monotonic() + 60
    while refused is None:
        assert time.monotonic() < end, f'{taken} requests were taken and none refused'
        for sent in requests(chance):
            ledger.requests.append(sent)
            start = time.monotonic()
            answer = ledger.send(clew, sent)
            assert answer is not None and time.monotonic() - start < 2, 'no answer, or late'
            if answer.status != 200:
                refused = answer
            else:
                taken += 1
    assert refused.status == 503 and refused.headers.get('Retry-After'), (refused.status, refused.body)
    assert taken > 20, f'only {taken} were taken'
    ledger.verify(clew)
    cluster.start()
    start = time.monotonic()
    eventually(lambda: http.post(f'{clew.http}/api/v1/flush', b'').expect(200), RESUMED_WITHIN_S)
    print(f'    {taken} requests were taken without the database; flushed {time.monotonic() - start:.1f} s after it was back')
    settle(clew, ledger)


def killed_meanwhile(cluster, clew, ledger, chance):
    with Load(clew, ledger, chance.random(), flush_every_s=0.1, workers=2, pause_s=0.03) as load:
        time.sleep(0.7)
        cluster.stop('immediate')
        time.sleep(0.3)
        clew.kill()
    cluster.start()
    clew.start(SMALL)
    ledger.verify(clew, load.since)
    settle(clew, ledger)


def stops(clew):
    code = clew.stop()
    assert code == 0, f'exit code {code}'


def whole(clew, ledger):
    clew.flush()
    ledger.verify(clew)
    ledger.totals(clew)
    clew.kill()
    clew.start()
    ledger.totals(clew)


def tenants(cluster):
    """Two processes, three tenants: rows of a tenant are its own in both."""
    url, names = cluster.create('tenants'), (None, 'acme', 'acme-eu')
    with tempfile.TemporaryDirectory(prefix='clew-lake-') as lake:
        both = [of(url, f'{lake}/lake') for _ in range(2)]
        try:
            for clew in both:
                config = clew.root / 'clew.toml'
                config.write_text('[tenants.acme]\n[tenants.acme-eu]\n')
                clew.options += ('--config', str(config))
                clew.start()
            trace = otlp.trace_id()
            for number, clew in enumerate(both):
                for name in names:
                    document = otlp.traces([otlp.span(trace, f'op-{number}-{name}', time.time_ns())])
                    http.post(f'{clew.otlp_http}/v1/traces', document, headers=of_tenant(name)).expect(200)
                    http.post(f'{clew.http}/api/v1/flush', b'', headers=of_tenant(name)).expect(200)

            def own_alone():
                for clew in both:
                    for name in names:
                        answer = http.get(f'{clew.http}/api/v1/traces/{trace}', headers=of_tenant(name)).expect(200).json()
                        found = sorted(span['name'] for span in answer['spans'])
                        assert found == [f'op-0-{name}', f'op-1-{name}'], (name, found)
            eventually(own_alone)
            schemas = cluster.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'clew_tenant%' ORDER BY 1", 'tenants')
            assert schemas == ['clew_tenant_acme', 'clew_tenant_acme-eu'], schemas
            checked(both, url, f'{lake}/lake')
            eventually(own_alone)
        finally:
            for clew in both:
                clew.__exit__()


def of_tenant(name):
    return {'X-Scope-OrgID': name} if name else {}


def never_answers():
    """A port that takes connections and says nothing."""
    import socket
    with socket.create_server(('127.0.0.1', 0)) as silent:
        url = f'postgres://clew:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/none'
        said = not_started(Clew('--catalog', url), 25)
    assert 'does not answer' in said and PASSWORD not in said, said


def refused(cluster):
    url = cluster.create('refused')
    with Clew(environment={'CLEW_CATALOG': url}) as shared:
        elsewhere = not_started(Clew(environment={'CLEW_CATALOG': url}))
        assert "the lake's files are in" in elsewhere, elsewhere
        assert shared.stop() == 0
        shared.environment = {}
        assert 'ingests into a shared lake' in starts_not(shared)
    with Clew() as own:
        assert own.stop() == 0
        own.environment = {'CLEW_CATALOG': url}
        assert 'a catalogue of its own' in starts_not(own)
    wrong = not_started(Clew(environment={'CLEW_CATALOG': url.replace(PASSWORD, 'wrong-secret')}))
    assert 'authentication failed' in wrong and 'wrong-secret' not in wrong, wrong
    missing = not_started(Clew(environment={'CLEW_CATALOG': cluster.url('nowhere')}))
    assert 'nowhere' in missing and PASSWORD not in missing, missing


def not_started(clew, limit_s=10):
    try:
        return starts_not(clew, limit_s)
    finally:
        clew.__exit__()


def starts_not(clew, limit_s=10):
    start = time.monotonic()
    try:
        clew.start()
    except AssertionError as error:
        assert time.monotonic() - start < limit_s, f'only after {time.monotonic() - start:.0f} s'
        return str(error)
    raise AssertionError('it started')


if __name__ == '__main__':
    main()
