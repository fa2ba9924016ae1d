"""One bit flipped in a stored file: every answer is the same as before or says what is wrong with it,
nothing panics, `clew check` finds the flip, the rest is still answered.

    flips.py [FLIPS [SEED]]
"""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bugs import must_fail
from harness import http, otlp
from harness.report import Report
from harness.server import Clew, binary

# Small log files, so that some are retired; and nothing changes by itself while it is looked at.
STILL = 'wal-segment=262144,flush-age=3600'
SERVERS = 2

# Kind of file: share of the flips. In what a kill left, SQLite's log hides most of its database.
KILLED = {'parquet': 4, 'index': 4, 'wal': 5, 'seen': 1, 'catalog.db': 1, 'catalog.db-wal': 3}
STOPPED = {'catalog.db': 7}
KINDS = {*KILLED, *STOPPED}


def main():
    flips = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    print(f'  seed {seed}')
    report, outcomes = Report('flips'), Counter()
    total = sum(KILLED.values()) + sum(STOPPED.values())
    with tempfile.TemporaryDirectory(prefix='clew-flips-') as folder:
        for how, shares in (('killed', KILLED), ('stopped', STOPPED)):
            whole = Whole(Path(folder) / how, how)
            report.case(f'{how}: the same questions twice give the same answers', whole.ask_all)
            if not whole.answers:
                continue
            if how == 'killed':
                must_fail(report, 'checksum that is not compared', with_bug, whole, seed)
            for kind, share in shares.items():
                places = places_in(whole, kind, max(1, flips * share // total), f'{seed} {how} {kind}')
                wrong = run(whole, kind, places)
                print(f'          {dict(wrong.outcomes)}', flush=True)
                report.case(f'{how}: {len(places)} flips in {kind}', none_of, wrong)
                outcomes.update(wrong.outcomes)
    print(f'  {sum(outcomes.values())} flips: ' + ', '.join(f'{n} {what}' for what, n in outcomes.most_common()))
    report.finish()


class Whole:
    """A data directory as a kill or a stop left it, with some of everything in it, and what is answered from it."""

    def __init__(self, folder, how):
        folder.mkdir()
        self.folder, self.data, self.traces, self.answers = folder, folder / 'whole', [], None
        self.base = time.time_ns() - 1200 * otlp.SECOND
        with Clew(data=self.data) as clew:
            clew.kill()
            clew.start(STILL)
            for part in range(4):
                self.fill(clew, part)
                if part < 3:
                    clew.flush()
                if part == 1:
                    # What is in SQLite's log goes to its database; the rest stays in the log.
                    assert clew.stop() == 0
                    clew.start(STILL)
            time.sleep(0.5)  # the keeper retires log files
            if how == 'killed':
                clew.kill()
            else:
                assert clew.stop() == 0
        files = self.files()
        missing = [kind for kind in (KILLED if how == 'killed' else STOPPED) if not files[kind]]
        assert not missing, f'no file of kind {missing}: {os.listdir(self.data)}'

    def fill(self, clew, part):
        chance = random.Random(part)
        for number in range(60):
            trace = f'{part * 1000 + number + 1:032x}'
            self.traces.append(trace)
            at = self.base + (part * 100 + number) * otlp.SECOND
            spans = [otlp.span(trace, f'op-{i % 7}', at + i, at + i + chance.randrange(10**9), spanId=f'{number * 100 + i + 1:016x}',
                               attributes=otlp.attributes({'i': i, 'user': f'u{chance.randrange(50)}', 'pad': chance.randbytes(60).hex()}))
                     for i in range(12)]
            records = [otlp.record(f'line {i} of {trace} says {chance.randrange(10**6)}', at + i, traceId=trace) for i in range(6)]
            service = f'service-{number % 3}'
            for signal, document in (('traces', otlp.traces(spans, service)), ('logs', otlp.logs(records, service)),
                                     ('metrics', metrics(at, service, number))):
                http.post(f'{clew.otlp_http}/v1/{signal}', document).expect(200)

    def files(self):
        """Files by kind."""
        found = {kind: [] for kind in KINDS}
        for path in sorted(path for path in self.data.rglob('*') if path.is_file()):
            kind = path.name if path.name.startswith('catalog.db') else path.suffix[1:]
            if kind in found and path.stat().st_size:
                found[kind].append(path.relative_to(self.data))
        return found

    def questions(self):
        window = {'from': self.base - otlp.SECOND, 'to': self.base + 1000 * otlp.SECOND}
        for trace in (self.traces[5], self.traces[70], self.traces[130], self.traces[-5]):
            yield f'traces/{trace}', {}
            yield f'traces/{trace}/logs', {'limit': 100}
        yield 'traces', {'limit': 300, **window}
        yield 'traces', {'q': 'service:service-1 user=u7', 'limit': 100, **window}
        yield 'logs', {'limit': 1000, **window}
        yield 'logs', {'q': 'line says service:service-2', 'limit': 1000, 'order': 'asc', **window}
        yield 'logs/histogram', {'buckets': 40, **window}
        yield 'services', window
        yield 'services/service-0/operations', window
        yield 'graph', window
        yield 'tags', {'table': 'spans', **window}
        yield 'tags/user/values', {'table': 'spans', **window}
        for query in ('SELECT count(*), sum(duration), min(name), max(name) FROM spans',
                      'SELECT count(*), min(body), max(body) FROM logs', 'SELECT count(*) FROM metrics'):
            yield 'sql', query

    def ask_all(self):
        self.answers = None
        with copy_of(self) as data:
            first, second = (ask(data, self.questions()) for _ in range(2))
        assert not isinstance(first, str), f'the server does not start: {first}'
        unstable = [question for question, a, b in zip(self.questions(), first, second) if a != b]
        assert not unstable, f'not stable: {unstable}'
        strange = [(question, answer) for question, answer in zip(self.questions(), first) if answer[0] != 200 or answer[2]]
        assert not strange, f'not well answered: {strange[:2]}'
        self.answers = first


def metrics(at, service, number):
    point = {'timeUnixNano': str(at), 'asDouble': number / 7, 'attributes': otlp.attributes({'shard': number % 4})}
    return {'resourceMetrics': [{'resource': {'attributes': otlp.attributes({'service.name': service})}, 'scopeMetrics': [
        {'metrics': [{'name': 'load', 'unit': '1', 'gauge': {'dataPoints': [point]}}]}]}]}


class copy_of:
    """A copy of the whole directory, for one flip."""

    def __init__(self, whole):
        self.whole = whole

    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(dir=self.whole.folder)) / 'data'
        shutil.copytree(self.whole.data, self.path)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path.parent, ignore_errors=True)


def ask(data, questions, faults=STILL):
    """Answers as (status, answer without notes, warnings); or why the server does not start."""
    clew = Clew(data=data)
    try:
        try:
            clew.start(faults)
        except AssertionError:
            return refused_to_start(clew)
        answers = [one_answer(clew, *question) for question in questions]
        assert clew.process.poll() is None, f'the server died ({clew.process.poll()}): {clew.log_tail()}'
        assert 'panicked' not in clew.log.read_text(errors='replace'), clew.log_tail()
        return answers
    finally:
        if clew.process and clew.process.poll() is None:
            clew.kill()
        clew.__exit__()


def refused_to_start(clew):
    log = clew.log_tail()
    assert clew.process.poll() == 1, f'exit code {clew.process.poll()}: {log}'
    assert 'panicked' not in log, log
    last = log.strip().splitlines()[-1]
    assert re.search(r'clew: .{10,}', last), f'no reason was given: {log}'
    return last


def one_answer(clew, path, parameters):
    url = f'{clew.http}/api/v1/{path}'
    answer = http.post(url, {'query': parameters}) if path == 'sql' else http.get(url, parameters)
    body = json.loads(answer.body)
    notes = body.pop('notes', None) or {}
    body.pop('elapsed_ms', None)
    body.pop('exactness', None)  # tells when it was asked
    warnings = notes.get('warnings') or []
    if answer.status == 404 and ' not all could be read: ' in body['error']['message']:
        warnings = [body['error']['message']]
    return answer.status, body, warnings


class Wrong(list):
    """What went wrong, and how the flips ended."""

    def __init__(self):
        super().__init__()
        self.outcomes = Counter()


def places_in(whole, kind, number, seed):
    chance, files = random.Random(seed), whole.files()[kind]
    return [place(whole, files, chance) for _ in range(number)]


def run(whole, kind, places):
    wrong, lock = Wrong(), threading.Lock()

    def one(at):
        try:
            outcome = one_flip(whole, kind, *at)
        except AssertionError as error:
            outcome = 'WRONG'
            with lock:
                wrong.append(f'{at[0]} byte {at[1]} bit {at[2]}: {error}')
        with lock:
            wrong.outcomes[outcome] += 1
    with ThreadPoolExecutor(SERVERS) as pool:
        list(pool.map(one, places))
    return wrong


def none_of(wrong):
    assert not wrong, f'{len(wrong)} went wrong:\n' + '\n'.join(str(one)[:600] for one in wrong[:5])


def place(whole, files, chance):
    """A file, a byte that says something, a bit."""
    file = chance.choice(files)
    contents = (whole.data / file).read_bytes()
    used = len(contents.rstrip(b'\0')) or len(contents)
    # The header of a file is small and matters.
    at = chance.randrange(min(used, 64)) if chance.random() < 0.1 else chance.randrange(used)
    return file, at, chance.randrange(8)


def flip(data, file, at, bit):
    with open(data / file, 'r+b') as stored:
        stored.seek(at)
        byte = stored.read(1)[0]
        stored.seek(at)
        stored.write(bytes([byte ^ 1 << bit]))


def one_flip(whole, kind, file, at, bit):
    """How it ended."""
    with copy_of(whole) as data:
        flip(data, file, at, bit)
        found = check(data)
        answers = ask(data, whole.questions())
        if isinstance(answers, str):
            assert found, f'the server refuses to start ({answers}), and clew check finds nothing'
            return 'refused at start'
        silent = silently_wrong(whole, answers)
        assert not silent, silent
        said = [answer for answer, known in zip(answers, whole.answers) if answer != known]
        if said or any(answer[2] for answer in answers):
            assert found, f'the answers say {said[0][2] or said[0][1]}, and clew check finds nothing'
            return 'said in answers'
        # Bytes that nobody reads: padding of the log, free space of SQLite and its spent log.
        assert found or kind in ('wal', 'catalog.db', 'catalog.db-wal'), 'clew check finds nothing'
        return 'found by clew check' if found else 'harmless'


def silently_wrong(whole, answers):
    for question, answer, known in zip(whole.questions(), answers, whole.answers):
        said = answer[2] or answer[0] >= 500
        if answer[:2] != known[:2] and not said:
            return f'{question} is answered wrongly and nothing is said: {str(answer)[:200]} for {str(known)[:200]}'
    return None


def check(data):
    """Whether `clew check` finds damage."""
    done = subprocess.run([binary(), 'check', '--data-dir', data], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1) and 'panicked' not in done.stderr, f'clew check: exit code {done.returncode}: {done.stderr[-500:]}'
    return done.returncode == 1


def with_bug(whole, seed):
    """Without checksums some flip gives a wrong answer."""
    chance, files = random.Random(f'{seed} bug'), whole.files()
    for _ in range(80):
        file, at, bit = place(whole, files[chance.choice(['parquet', 'index', 'wal'])], chance)
        with copy_of(whole) as data:
            flip(data, file, at, bit)
            answers = ask(data, whole.questions(), f'{STILL},bug.skip-crc=on')
            if not isinstance(answers, str):
                silent = silently_wrong(whole, answers)
                assert not silent, silent


if __name__ == '__main__':
    main()
