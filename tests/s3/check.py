"""Segments in a bucket: a real S3 server, and a proxy before it that fails in every way that object stores do.

    check.py VERSITYGW [SECONDS [SEED]]    seconds of load in each mode

The ledger of what was acknowledged is in this process. Nothing may be lost, doubled, or left over in the
bucket; an answer is whole, or says what it lacks.
"""
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import duckdb
from duckdb_extensions import import_extension

from faults.bugs import must_fail
from harness import http
from harness.ledger import ACKED, REFUSED, SPANS, Ledger, Load, requests
from harness.protobuf import TraceRequest
from harness.report import Report
from harness.server import Clew, binary, eventually
from harness.threads import Threads
from s3 import gateway
from s3.proxy import Proxy

MIB = 1 << 20
# Files that nobody needs go after seconds, not minutes.
SHORT = 'sweep=1,grace=3,flush-age=2'
# The buffer is full after some requests.
SMALL = f'{SHORT},flush-bytes=400000'
DRAIN_LIMIT_S = 60

# After a read that failed for good, none is tried for so long: answers in between are partial, and say so.
OUTAGE_S = 2.5
MODES = [('slow_down', 0.5), ('reset_put', 0.5), ('lose_reply', 0.5), ('reset_get', 0.5), ('garbage', 0.5), ('hang', 0.1)]


class World:
    def __init__(self, server, seed):
        self.server, self.proxy, self.seed = server, Proxy(server.address, seed), seed

    def clew(self, prefix, *options):
        options = ('--store', f's3://{gateway.BUCKET}/{prefix}', *options)
        return Clew(*options, environment=self.server.environment(self.proxy.url))


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10**6)
    print(f'  seed {seed}')
    report = Report('s3')
    with gateway.Gateway(gateway.program(*sys.argv[1:2])) as server:
        world = World(server, seed)
        for group in (basics, queries, modes, outage):
            group(report, world, seconds)
        must_fail(report, 'read without checksums', with_store, world, 'bug', 'bug.skip-crc=on', changed_bytes)
        report.case('bytes changed on the way are noticed', with_store, world, 'changed', '', changed_bytes)
    report.finish()


def with_store(world, prefix, faults, check):
    """One case on a store of its own."""
    clew = world.clew(prefix)
    try:
        faults = ','.join(filter(None, [SHORT, faults]))
        clew.start(faults)
        check(world, clew, faults)
    finally:
        world.proxy.set('ok')
        clew.__exit__()


# --- the way of a segment ------------------------------------------------------------------------

def basics(report, world, _):
    ledger, chance, clew = Ledger(), random.Random(world.seed), world.clew('basics')
    try:
        clew.start(SHORT)
        report.case('what is sent comes back, through the bucket', ingest, clew, ledger, chance)
        report.case('the data directory holds no segment', lambda: nothing_in(clew.data / 'lake'))
        report.case('segments are merged', merged, clew, ledger)
        report.case('kill -9 and start', restarted, clew, ledger, clew.kill)
        report.case('stop and start with an empty cache', restarted, clew, ledger, lambda: (clew.stop(), drop_cache(clew)))
        report.case('the cache goes while it is read', cache_goes, clew, ledger)
        report.case('the bucket holds what the catalogue names', same_files, world, clew, 'basics')
        report.case('another catalogue is refused the prefix', second_catalogue, world)
        report.case('DuckDB reads the lake out of the bucket', read_by_duckdb, world, clew, ledger)
        clew.stop()
        report.case('clew check reads the bucket', checked, world, clew, 'basics')
        report.case('clew check finds a flipped bit in it', flipped, world, clew, 'basics')
    finally:
        clew.__exit__()


def ingest(clew, ledger, chance):
    for _ in range(12):
        for _ in range(3):
            for sent in requests(chance):
                ledger.requests.append(sent)
                assert ledger.send(clew, sent).status == 200
        clew.flush()
    ledger.verify(clew)
    ledger.totals(clew)
    rows = http.post(f'{clew.http}/api/v1/sql', {'query': 'SELECT count(*), count(DISTINCT span_id) FROM spans'}).expect(200).json()['rows']
    spans = sum(sent.rows for sent in ledger.requests if sent.signal == 'traces')
    assert [int(value) for value in rows[0]] == [spans, spans], f'SQL counts {rows}'


def nothing_in(folder):
    assert not folder.exists() or not any(path.is_file() for path in folder.rglob('*')), f'{folder} has files'


def merged(clew, ledger):
    # 12 flushes of two tables.
    eventually(lambda: expect(clew.get('status')['segments'] <= 16, clew.get('status')), 20)
    ledger.verify(clew)


def restarted(clew, ledger, end):
    end()
    clew.start(SHORT)
    ledger.verify(clew)
    ledger.totals(clew)


def cache_goes(clew, ledger):
    with CacheDropper(clew, 0.02):
        for _ in range(4):
            ledger.verify(clew)


def second_catalogue(world):
    with_error = subprocess.run(
        [binary(), 'serve', '--data-dir', world.server.root / 'second', '--store', f's3://{gateway.BUCKET}/basics',
         '--http', '127.0.0.1:0', '--otlp-grpc', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0'],
        env={**os.environ, **world.server.environment(world.proxy.url)}, capture_output=True, text=True, timeout=30)
    assert with_error.returncode == 1 and 'place of its own' in with_error.stderr, (with_error.returncode, with_error.stderr[-500:])


def read_by_duckdb(world, clew, ledger):
    for extension in ('httpfs', 'sqlite_scanner', 'ducklake'):
        import_extension(extension)
    database = duckdb.connect(config={'autoload_known_extensions': False, 'autoinstall_known_extensions': False})
    for extension in ('httpfs', 'sqlite_scanner', 'ducklake'):
        database.load_extension(extension)
    database.execute(f"""CREATE SECRET (TYPE s3, KEY_ID '{gateway.ACCESS}', SECRET '{gateway.SECRET}', REGION '{gateway.REGION}',
        ENDPOINT '127.0.0.1:{world.proxy.port}', URL_STYLE 'path', USE_SSL false)""")
    database.execute(f"ATTACH 'ducklake:sqlite:{clew.data}/catalog.db' AS lake (READ_ONLY)")
    clew.flush()
    spans = sum(sent.rows for sent in ledger.requests if sent.signal == 'traces')
    found = database.execute('SELECT count(DISTINCT span_id), count(*) FROM lake.spans').fetchone()
    assert found == (spans, spans), f'{found} of {spans}'


def checked(world, clew, prefix):
    done = check(world, clew, prefix)
    assert done.returncode == 0, done.stdout + done.stderr


def flipped(world, clew, prefix):
    folder = world.server.root / 'data' / gateway.BUCKET / prefix
    path = folder / max(file for file in world.server.files(prefix) if file.endswith('.parquet'))
    whole = path.read_bytes()
    at = len(whole) // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    done = check(world, clew, prefix)
    path.write_bytes(whole)
    assert done.returncode == 1 and path.name in done.stdout, done.stdout + done.stderr


def check(world, clew, prefix):
    command = [binary(), 'check', '--data-dir', clew.data, '--store', f's3://{gateway.BUCKET}/{prefix}']
    return subprocess.run(command, env={**os.environ, **world.server.environment(world.proxy.url)}, capture_output=True, text=True, timeout=120)


# --- what a query costs --------------------------------------------------------------------------

EVER = '2000-01-01T00:00:00Z'


def queries(report, world, _):
    clew = world.clew('queries')
    try:
        clew.start(SHORT)
        traces = fill(clew)
        stored = sum(world.server.files('queries').values())
        print(f'  {clew.get("status")["spans"]} spans in {clew.get("status")["segments"]} segments, {stored / MIB:.1f} MiB in the bucket')
        for title, ask in (('a trace by id', lambda: http.get(f'{clew.http}/api/v1/traces/{traces[len(traces) // 2]}')),
                           ('the newest 20 traces', lambda: http.get(f'{clew.http}/api/v1/traces', {'limit': 20, 'from': EVER})),
                           ('20 traces by a tag', lambda: http.get(f'{clew.http}/api/v1/traces', {'q': '{ span.user.id = "user-77" }', 'limit': 20, 'from': EVER})),
                           ('SQL over a column', lambda: http.post(f'{clew.http}/api/v1/sql', {'query': 'SELECT max(duration) FROM spans'}))):
            report.case(f'{title}: the second time asks nothing', cold_and_warm, world, clew, title, ask)
        clew.stop()
        clew.options = (*clew.options, '--cache-bytes', '4MiB')
        clew.start(SHORT)
        report.case('the bound of the cache holds while all is read', bounded, clew, stored, traces, 4 * MIB)
    finally:
        clew.__exit__()


def fill(clew):
    """Four segments or what they become; ids of some traces."""
    traces = []
    for segment in range(4):
        # Of one shop and the same times: what differs is ids, which do not compress. So old that findings, which look at
        # the last minutes after a start, do not ask for what the cold question is to ask for.
        request = TraceRequest(5000, f'shop-{segment}', time.time_ns() - (184 - segment) * 60 * 10**9)
        for _ in range(24):
            body, ids = request.new()
            http.post(f'{clew.otlp_http}/v1/traces', body, 'application/x-protobuf').expect(200)
            traces += ids[::50]
        clew.flush()
    return traces


def cold_and_warm(world, clew, title, ask):
    # Readers that are open hold what they decoded: a new process has nothing.
    clew.stop()
    drop_cache(clew)
    clew.start(SHORT)
    time.sleep(0.5)
    figures = []
    for _ in range(4):
        before, begun = world.proxy.counts(), time.monotonic()
        whole(ask().expect(200))
        took = time.monotonic() - begun
        time.sleep(0.3)  # what was asked for ahead comes in
        after = world.proxy.counts()
        figures.append((after[0] - before[0], after[1] - before[1], took))
    # Findings look at the last minutes meanwhile, and may ask for some of it: one of three asks for nothing.
    figures = [figures[0], min(figures[1:])]
    for name, (gets, size, took) in zip(('cold', 'warm'), figures):
        print(f'          {title}, {name}: {gets} GETs, {size / 1024:.0f} KiB, {took * 1000:.0f} ms')
    assert figures[0][0] > 0, 'the cold one asked nothing'
    assert figures[1][0] == 0, f'the warm one asked {figures[1][0]} times'


def bounded(clew, stored, traces, bound):
    assert stored > bound * 1.2, f'{stored} bytes are no test of a bound of {bound}'
    most, stop = [0], threading.Event()

    def watch():
        while not stop.wait(0.02):
            most[0] = max(most[0], disk_usage(clew.data / 'cache'))
    watcher = threading.Thread(target=watch)
    watcher.start()
    for trace in traces[::20]:
        whole(http.get(f'{clew.http}/api/v1/traces/{trace}').expect(200))
    whole(http.post(f'{clew.http}/api/v1/sql', {'query': 'SELECT count(DISTINCT attributes) FROM spans'}).expect(200))
    stop.set()
    watcher.join()
    print(f'          {most[0] / MIB:.1f} MiB on disk at most')
    # The folders above the objects are not counted.
    assert bound / 2 < most[0] <= bound + 64 * 1024, f'{most[0]} bytes on disk, the bound is {bound}'


def disk_usage(folder):
    total = 0
    for path in [folder, *folder.rglob('*')]:
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            pass  # evicted meanwhile
    return total


# --- faults --------------------------------------------------------------------------------------

def modes(report, world, seconds):
    ledger, clew = Ledger(), world.clew('modes')
    try:
        clew.start(SMALL)
        for mode, share in MODES:
            report.case(f'{mode} at {share:.0%} of the requests', under_load, world, clew, ledger, mode, share, seconds)
        report.case('kill -9 meanwhile', killed, world, clew, ledger, seconds)
        report.case(f'all {len(ledger.requests)} requests at the end', settled, clew, ledger)
        report.case('nothing is left over in the bucket', same_files, world, clew, 'modes')
        print(f'  {ledger}')
    finally:
        world.proxy.set('ok')
        clew.__exit__()


def under_load(world, clew, ledger, mode, share, seconds):
    since, met = len(ledger.requests), world.proxy.faults
    with Load(clew, ledger, world.seed, workers=2, pause_s=0.05) as load, Readers(clew, ledger) as readers, CacheDropper(clew, 0.2):
        world.proxy.set(mode, share)
        time.sleep(seconds)
        ready = http.get(f'{clew.http}/readyz').status
        acked = load.acked()
        world.proxy.set('ok')
    assert world.proxy.faults > met, 'no request met the fault'
    assert acked > 0, 'nothing was acknowledged'
    assert not readers.wrong, f'{len(readers.wrong)} wrong answers: {readers.wrong[:3]}'
    print(f'          {acked} acknowledged, {readers.whole} whole answers, {readers.partial} that say what they lack, '
          f'{world.proxy.faults - met} faults, /readyz {ready}')
    drained(clew)
    settle(clew, ledger)
    time.sleep(OUTAGE_S)
    ledger.verify(clew, since)


def killed(world, clew, ledger, seconds):
    for number in range(3):
        world.proxy.set('lose_reply', 0.5)
        with Load(clew, ledger, world.seed + number, workers=2):
            time.sleep(seconds / 4 * random.Random(world.seed + number).uniform(0.5, 1.5))
            clew.kill()
        world.proxy.set('ok')
        clew.start(SMALL)
        drained(clew)
        ledger.verify(clew)
        settle(clew, ledger)


def settled(clew, ledger):
    drained(clew)
    ledger.verify(clew)
    ledger.totals(clew)


def outage(report, world, seconds):
    """reliability: acks go on from the log up to the buffer's bound, then 503; all drains when it is back."""
    ledger, clew, chance = Ledger(), world.clew('outage'), random.Random(world.seed)
    try:
        clew.start(SMALL)
        for sent in requests(chance):
            ledger.requests.append(sent)
            ledger.send(clew, sent)
        clew.flush()
        world.proxy.down()
        report.case('bucket down: acks go on', goes_on, clew, ledger, chance)
        report.case('kill -9, start without a bucket: it answers, and says what it lacks', start_without, clew, ledger)
        report.case('it takes data up to its bound, then 503 with Retry-After', refuses, clew, ledger, chance)
        world.proxy.up()
        report.case('bucket back: it takes data again and drains', back, clew, ledger, chance)
        report.case('nothing lost, doubled', settled, clew, ledger)
        report.case('or left over', same_files, world, clew, 'outage')
    finally:
        clew.__exit__()


def goes_on(clew, ledger, chance):
    for _ in range(10):
        for sent in requests(chance):
            ledger.requests.append(sent)
            begun = time.monotonic()
            answer = ledger.send(clew, sent)
            assert answer is not None and answer.status == 200, answer and (answer.status, answer.body)
            assert time.monotonic() - begun < 1, 'an ack waited'
    http.get(f'{clew.http}/readyz').expect(200)
    eventually(lambda: expect(http.post(f'{clew.http}/api/v1/flush', b'', timeout=90).status >= 500, 'a flush without a bucket'), 5)
    http.get(f'{clew.http}/readyz').expect(200)


def start_without(clew, ledger):
    clew.kill()
    drop_cache(clew)
    clew.start(SMALL)
    first, *live = [sent for sent in ledger.requests if sent.signal == 'traces']
    begun = time.monotonic()
    answer = http.get(f'{clew.http}/api/v1/traces/{first.trace}')
    took = time.monotonic() - begun
    assert fault_with(answer, first) is None and not is_whole(answer), (answer.status, answer.body[:300])
    assert took < 12, f'it took {took:.1f} s'
    for sent in live:
        assert len(http.get(f'{clew.http}/api/v1/traces/{sent.trace}').expect(200).json()['spans']) == SPANS, sent.trace


def refuses(clew, ledger, chance):
    acked, end = 0, time.monotonic() + 60
    while time.monotonic() < end:
        for sent in requests(chance):
            ledger.requests.append(sent)
            begun = time.monotonic()
            answer = ledger.send(clew, sent)
            assert answer is not None and time.monotonic() - begun < 1, 'no answer within a second'
            if sent.fate == REFUSED:
                assert answer.status == 503 and int(answer.headers['Retry-After']) > 0, (answer.status, answer.body)
                assert http.get(f'{clew.http}/readyz').status == 503, 'ready, though it refuses'
                print(f'          {acked} more acknowledged, then 503')
                assert acked > 10, 'the buffer took next to nothing'
                return
            acked += 1
    raise AssertionError('the buffer has no bound')


def back(clew, ledger, chance):
    begun = time.monotonic()

    def taken():
        for sent in requests(chance):
            ledger.requests.append(sent)
            answer = ledger.send(clew, sent)
            assert answer is not None and answer.status == 200, answer and (answer.status, answer.body)
    eventually(taken, DRAIN_LIMIT_S)
    drained(clew)
    print(f'          it takes data {time.monotonic() - begun:.1f} s after the bucket is back')
    time.sleep(OUTAGE_S)
    settle(clew, ledger)


def changed_bytes(world, clew, faults):
    """Span ids are changed on the way from the bucket: an answer must not show the new ones."""
    sent = requests(random.Random(world.seed))[0]
    http.post(f'{clew.otlp_http}/v1/traces', sent.document).expect(200)
    clew.flush()
    spans = [span['spanId'] for span in sent.document['resourceSpans'][0]['scopeSpans'][0]['spans']]
    clew.stop()
    drop_cache(clew)
    world.proxy.swap = {bytes.fromhex(span): os.urandom(8) for span in spans}
    try:
        clew.start(faults)
        answer = http.get(f'{clew.http}/api/v1/traces/{sent.trace}').expect(200, 404)
        found = [span['span_id'] for span in answer.json().get('spans', [])]
        assert set(found) <= set(spans), f'spans that nobody sent: {sorted(set(found) - set(spans))[:2]}'
        assert not is_whole(answer), f'the answer claims to be whole: {answer.status} {answer.body[:300]}'
    finally:
        world.proxy.swap = {}
    eventually(lambda: expect(whole(http.get(f'{clew.http}/api/v1/traces/{sent.trace}').expect(200)), 'whole again'), 20)


# --- what the cases share ------------------------------------------------------------------------

class Readers(Threads):
    """Ask for acknowledged traces all the time. An answer lacks nothing, or says what."""

    def __init__(self, clew, ledger, count=2):
        super().__init__()
        self.clew, self.ledger = clew, ledger
        self.whole, self.partial, self.wrong = 0, 0, []
        self.threads = [threading.Thread(target=self._read, args=(random.Random(i),)) for i in range(count)]

    def _read(self, chance):
        while not self.stopped.wait(0.02):
            acked = [sent for sent in self.ledger.requests if sent.fate == ACKED and sent.signal == 'traces']
            if not acked:
                continue
            sent = chance.choice(acked)
            try:
                answer = http.get(f'{self.clew.http}/api/v1/traces/{sent.trace}', timeout=60)
            except OSError as error:
                self.wrong.append(f'{sent.trace}: {error}')
                continue
            if wrong := fault_with(answer, sent):
                self.wrong.append(wrong)
            elif is_whole(answer):
                self.whole += 1
            else:
                self.partial += 1


class CacheDropper(Threads):
    """Deletes the cache again and again, so that reads go to the bucket."""

    def __init__(self, clew, every_s):
        super().__init__()
        self.clew, self.every_s = clew, every_s
        self.threads = [threading.Thread(target=self._drop)]

    def _drop(self):
        while not self.stopped.wait(self.every_s):
            drop_cache(self.clew)


def drop_cache(clew):
    shutil.rmtree(clew.data / 'cache', ignore_errors=True)


def fault_with(answer, sent):
    """What is wrong with the answer for an acknowledged trace."""
    if answer.status not in (200, 404):
        return f'{sent.trace}: status {answer.status}: {answer.body[:200]!r}'
    found = [span['span_id'] for span in answer.json()['spans']] if answer.status == 200 else []
    known = {span['spanId'] for span in sent.document['resourceSpans'][0]['scopeSpans'][0]['spans']}
    if len(found) != len(set(found)) or not set(found) <= known:
        return f'{sent.trace}: spans twice, or that nobody sent'
    if len(found) < len(known) and is_whole(answer):
        return f'{sent.trace}: {len(found)} of {len(known)} spans, and not a word about the rest: {answer.body[:200]!r}'
    return None


def is_whole(answer):
    if answer.status == 404:
        return b'not all could be read' not in answer.body
    return not answer.json()['notes']['warnings']


def whole(answer):
    assert is_whole(answer), answer.json()['notes']
    return answer


def expect(held, what):
    assert held, what


def settle(clew, ledger):
    """Sends again what has no acknowledgement, as an exporter does, with its patience."""
    for sent in ledger.requests:
        if sent.fate != ACKED:
            eventually(lambda sent=sent: expect(ledger.send(clew, sent).status == 200, 'refused for a minute'), DRAIN_LIMIT_S)
            ledger.retried += 1


def drained(clew):
    """All is in segments."""
    def flushed():
        clew_flush = http.post(f'{clew.http}/api/v1/flush', b'', timeout=90)
        assert clew_flush.status == 200, clew_flush.body
        assert clew.get('status')['buffer_rows'] == 0, clew.get('status')
    eventually(flushed, DRAIN_LIMIT_S)


def same_files(world, clew, prefix):
    """The bucket holds what the catalogue's newest snapshot names, and its own mark: no orphans."""
    def same():
        with sqlite3.connect(f'file:{clew.data}/catalog.db?mode=ro', uri=True) as catalog:
            named = {Path(path).name for path, in catalog.execute('SELECT path FROM ducklake_data_file WHERE end_snapshot IS NULL')}
            named |= {Path(path).name for path, in catalog.execute(
                'SELECT index_path FROM clew_segment WHERE data_file_id IN (SELECT data_file_id FROM ducklake_data_file WHERE end_snapshot IS NULL)')}
        found = {Path(path).name for path in world.server.files(prefix)} - {'clew-lake'}
        assert found == named, f'left over: {sorted(found - named)[:4]}; missing: {sorted(named - found)[:4]}'
        assert named, 'there is nothing'
    eventually(same, 40)


if __name__ == '__main__':
    main()
