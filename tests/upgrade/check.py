"""A data directory that an earlier binary wrote: this one opens it, gives the same answers and finds no damage. One of
a newer format is refused and left as it is."""
import hashlib
import json
import sqlite3
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from contextlib import closing, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import http  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import Clew, binary  # noqa: E402

# How and when an answer came about, which may change.
INCIDENTAL = {'notes', 'elapsed_ms', 'as_of_ns'}


def known(answer):
    """Since format 3 callers that are not stored are a node, messages go through their topic, and fewer exemplars are
    kept: what the graph says of services. Until format 1 was a day old, nodes of users counted no calls."""
    nodes = [node for node in answer['nodes'] if node['kind'] not in ('user', 'unknown')]
    edges = [edge for edge in answer['edges'] if ':unknown' not in (edge['source'], edge['target'])]
    return {'nodes': nodes, 'edges': [{**edge, 'exemplars': edge['exemplars'][:3]} for edge in edges]}


def not_operations(answer):
    """Since format 3 the operations of a service are those that it serves, not names of its spans."""
    return {'services': [{key: value for key, value in one.items() if key != 'operations'} for one in answer['services']]}


# Answers that were changed on purpose since a fixture was made: what of them is compared.
CHANGED = {(name, path): change for name in ('format-1', 'format-2')
           for path, change in (('graph', known), ('services', not_operations))}

# What an earlier version stored is counted behind the start.
COUNTING = 'still being counted'


def main():
    report = Report('upgrade')
    fixtures = sorted(HERE.glob('*.tar.xz'))
    assert fixtures, 'there are no fixtures'
    for fixture in fixtures:
        report.case(f'{fixture.name}: answers are those of then', same_answers, fixture)
    newest = fixtures[-1]
    report.case('a catalogue of a newer format is refused and left as it is', refused, newest, newer_catalogue, 'format 99')
    report.case('segments of a newer format likewise', refused, newest, newer_segment, 'segments of format 99')
    report.case('a log of a newer format likewise', refused, newest, newer_log, 'format version 99')
    report.case('a lake of a newer DuckLake likewise', refused, newest, newer_lake, 'DuckLake version 9.0')
    report.finish()


@contextmanager
def unpacked(fixture):
    """A server that does not run yet, on the fixture's data; and the recorded answers."""
    clew = Clew()
    try:
        with tarfile.open(fixture) as archive:
            archive.extractall(clew.root, filter='data')
        yield clew, json.loads((clew.root / 'answers.json').read_text())
    finally:
        clew.__exit__()


def same_answers(fixture):
    with unpacked(fixture) as (clew, recorded):
        changed = {path: compared for (name, path), compared in CHANGED.items() if fixture.name.startswith(f'{name}.')}
        clew.start()
        compare(clew, recorded, changed, 'from the log and the segments')
        clew.flush()
        compare(clew, recorded, changed, 'after a flush')
        assert clew.stop() == 0
        clean(clew.data)
        clew.start()
        compare(clew, recorded, changed, 'after a restart')


def compare(clew, recorded, changed, when):
    for method, path, parameters, expected in recorded:
        if method == 'GET':
            answer = until_counted(lambda: clew.get(path, **parameters))
            assert not answer.get('notes', {}).get('warnings'), (when, path, answer['notes'])
        else:
            answer = http.post(f'{clew.http}/api/v1/{path}', parameters).expect(200).json()
        compared = changed.get(path, lambda answer: answer)
        difference = differs(compared(expected), compared(answer))
        assert not difference, f'{when}: {method} {path} {parameters}: {difference}'


def until_counted(ask):
    """Answers say so until it is done, which takes a moment."""
    for _ in range(600):
        answer = ask()
        if not any(COUNTING in warning for warning in answer.get('notes', {}).get('warnings', [])):
            return answer
        time.sleep(0.1)
    raise AssertionError(f'not counted after a minute: {answer["notes"]}')


def differs(expected, found, at=''):
    """Where what was recorded is not in the answer; the answer may have more keys than then."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in expected.keys() - INCIDENTAL:
            if key not in found:
                return f'{at}.{key} is missing'
            if difference := differs(expected[key], found[key], f'{at}.{key}'):
                return difference
        return None
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f'{at} has {len(found)} entries, not {len(expected)}'
        return next(filter(None, (differs(e, f, f'{at}[{i}]') for i, (e, f) in enumerate(zip(expected, found)))), None)
    return None if expected == found else f'{at} is {found!r}, not {expected!r}'


def clean(data):
    checked = subprocess.run([binary(), 'check', '--data-dir', data], capture_output=True, text=True)
    assert checked.returncode == 0 and 'DAMAGE' not in checked.stdout, checked.stdout + checked.stderr


def refused(fixture, make_newer, says):
    with unpacked(fixture) as (clew, _):
        make_newer(clew.data)
        before = contents(clew.data)
        for command in (['serve', '--http', '127.0.0.1:0', '--otlp-grpc', '127.0.0.1:0', '--otlp-http', '127.0.0.1:0'], ['check']):
            done = subprocess.run([binary(), *command, '--data-dir', clew.data], capture_output=True, text=True, timeout=30)
            said = done.stdout + done.stderr
            assert done.returncode == 1 and says in said and 'newer' in said, f'{command[0]}: {done.returncode} {said}'
            changed = sorted(set(contents(clew.data).items()) ^ set(before.items()))
            assert not changed, f'{command[0]} changed {changed}'


def contents(data):
    """Checksum of every file but empty ones, and the index of SQLite's journal, which every process makes anew."""
    files = (path for path in data.rglob('*') if path.is_file() and path.stat().st_size and not path.name.endswith('-shm'))
    return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def change(data, *statement):
    with closing(sqlite3.connect(data / 'catalog.db')) as catalogue, catalogue:
        assert catalogue.execute(*statement).rowcount > 0


def newer_catalogue(data):
    change(data, "UPDATE clew_state SET value = '99' WHERE name = 'format'")


def newer_segment(data):
    change(data, 'UPDATE clew_segment SET format = 99 WHERE data_file_id = (SELECT max(data_file_id) FROM clew_segment)')


def newer_lake(data):
    change(data, "UPDATE ducklake_metadata SET value = '9.0' WHERE key = 'version'")


def newer_log(data):
    """The last file's header says version 99, with a right checksum; see storage/src/wal.rs."""
    with open(sorted((data / 'wal').glob('*.wal'))[-1], 'r+b') as file:
        header = bytearray(file.read(24))
        struct.pack_into('<I', header, 8, 99)
        struct.pack_into('<I', header, 12, zlib.crc32(header[:12] + header[16:]))
        file.seek(0)
        file.write(header)


if __name__ == '__main__':
    main()
