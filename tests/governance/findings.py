"""What the findings engine finds in a shop with one fault at a time: each fault of `clew demo --fault` is sent to a server of
its own, which then judges it; the fault must be found at the right place, and nothing in the healthy shop.

    findings.py                 all faults
    findings.py none timeout    these
    findings.py --table         the table of docs/governance.md

The confusion matrix (a row a fault, a column a rule) goes to artifacts/governance-matrix.json and .md. A fault that has
consequences is found by several rules: the right one must be among them. Nothing may be found in `none`.
"""
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from harness import http  # noqa: E402
from harness.report import Report  # noqa: E402
from harness.server import ROOT, Clew, binary  # noqa: E402

DOCS = ROOT / 'docs' / 'governance.md'
ARTIFACTS = ROOT / 'artifacts'
RULES = [f'F{number}' for number in range(1, 21)]
SEED = 1
EVALUATE_LIMIT_S = 120
MOST_MINUTES = 60


class Fault(NamedTuple):
    rule: str
    # All of these must stand in the finding's subject: its id, or the services that it names.
    subject: frozenset
    # For docs/governance.md.
    injected: str
    history: str = '5m'
    rate: str = '10'


def fault(rule, subject, injected, **more):
    return Fault(rule, frozenset(subject.split()), injected, **more)


# The one table: what each fault must be found as, and about whom.
FAULTS = {
    'call-cycle': fault('F1', 'order inventory', 'order asks inventory to confirm, which asks order what that was'),
    'shared-database': fault('F2', 'order order-worker', 'order-worker updates the table of order in the database of order'),
    'n-plus-one': fault('F3', 'order', 'order reads 30 to 40 lines of an order one by one; recommendation asks catalog for each product'),
    'deep-chain': fault('F4', 'api-gateway', 'checkout has an order priced by nine services, each behind the one before'),
    'retry-storm': fault('F5', 'checkout payment', '60 % of the charges fail; checkout tries three times, and so does the gateway'),
    'timeout': fault('F6', 'checkout', 'the bank is slow for 40 %; checkout waits 900 ms for payment, the gateway 800 ms for checkout; both go on'),
    'breaker-open': fault('F7', 'order', 'the circuit breaker of the gateway refuses 60 % of the calls to order'),
    'degraded': fault('F8', 'api-gateway', '30 % of the recommendations fail, and the gateway answers by a fallback'),
    'rate-limited': fault('F9', 'inventory', 'inventory (Sentinel) refuses 20 % of the calls of checkout'),
    'gateway-bypass': fault('F10', 'checkout', 'as many users ask checkout as ask the gateway for it'),
    'single-instance': fault('F11', 'catalog', 'catalog, whom four services call, has one instance', history='26h', rate='1.2'),
    'bad-release': fault('F12', 'user', 'version 1.9.0 of user fails 20 % with a NullPointerException, from 40 % of the history on', history='15m'),
    'lockstep-release': fault('F13', 'cart inventory', 'cart and inventory get new versions at 20, 40, 60 and 80 % of the history, 0.5 % of it apart',
                              history='15m'),
    'error-origin': fault('F14', 'order', '30 % of the orders fail in order, and checkout and gateway with them'),
    'bottleneck': fault('F15', 'catalog', 'the query behind the home page takes 20 times as long for 8 %'),
    'lost-context': fault('F16', 'catalog', 'calls of cart arrive at catalog with a parent that nobody sends'),
    'clock-skew': fault('F17', 'catalog', 'the clock of one of three instances of catalog is 80 ms ahead'),
    'silent-service': fault('F18', 'inventory', 'inventory sends nothing from 40 % of the history on; Dubbo finds no provider', history='15m'),
    'log-burst': fault('F19', 'cart', 'cart logs a new error for 20 s of every minute, from 90 % of the history on', history='50m'),
    'leaked-secret': fault('F19', 'payment', 'a bearer token in an attribute of the gateway, a card number and an access key in logs of payment and '
                                             'order-worker; all made up'),
    'queue-lag': fault('F20', 'order.created', 'messages of order.created wait 250 times as long, from 40 % of the history on', history='15m'),
    'zone-partition': fault('F20', 'cn-east-1a cn-east-1b', 'callers in cn-east-1a lose 30 % of the answers from cn-east-1b'),
}

# Long enough for the rules that compare with half an hour before.
NONE = fault('', '', 'nothing: the healthy shop, with a release that goes well', history='50m')


def main():
    if sys.argv[1:] == ['--table']:
        print(table())
        return
    names = sys.argv[1:] or ['none', *FAULTS]
    if unknown := [name for name in names if name != 'none' and name not in FAULTS]:
        raise SystemExit(f'there is no fault {", ".join(unknown)}')
    report = Report('findings')
    report.case('the demo has the faults of the table, and no others', complete)
    report.case('docs/governance.md shows the table', documented)
    matrix = {}
    for name in names:
        report.case(f'{name}: {expectation(name)}', proves, name, matrix)
    write(matrix)
    print(markdown(matrix))
    report.finish()


def expectation(name):
    if name == 'none':
        return 'nothing is found'
    return f'{FAULTS[name].rule} about {" and ".join(sorted(FAULTS[name].subject))}'


def proves(name, matrix):
    """Sends the fault to a new server, has it judged, and compares."""
    started = time.monotonic()
    expected = FAULTS.get(name, NONE)
    with Clew() as clew:
        sent = demo(clew, name, expected)
        answer = evaluate(clew, expected)
    findings = answer['findings']
    assert all(finding['state'] == 'open' for finding in findings), 'what is not open was not asked for'
    about = sorted({(finding['rule'], finding['severity'], finding['subject']['id']) for finding in findings})
    hit = [finding for finding in findings if finding['rule'] == expected.rule and is_about(finding['subject'], expected.subject)]
    matrix[name] = {
        'expected': expected.rule or None, 'right': bool(hit) if expected.rule else not findings,
        'spans': sent['spans'], 'seconds': round(time.monotonic() - started, 1),
        'rules': {rule: count for rule in RULES if (count := sum(finding['rule'] == rule for finding in findings))},
        'findings': [dict(zip(('rule', 'severity', 'subject'), one)) for one in about],
        'not_evaluated': sorted({one['rule'] for one in answer['not_evaluated']}),
    }
    if not expected.rule:
        assert not findings, f'found {about}'
        return
    reasons = [one for one in answer['not_evaluated'] if one['rule'] == expected.rule]
    assert hit, f'found {about}; of {expected.rule} could not be judged: {reasons[:3]}'
    assert all(finding['evidence'] for finding in hit) or expected.rule in WITHOUT_TRACES, f'{expected.rule} shows no trace'


# What these say is in releases, instances and silence, not in one trace.
WITHOUT_TRACES = {'F11', 'F13', 'F18'}


def demo(clew, name, expected):
    command = [binary(), 'demo', '--endpoint', clew.otlp_http, '--fault', name, '--history', expected.history, '--rate', expected.rate,
               '--duration', '1s', '--seed', str(SEED)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert ran.returncode == 0, ran.stderr
    sent = json.loads(ran.stdout.splitlines()[-1])
    assert sent['spans'] > 1_000 and sent['rejected'] == 0, sent
    return sent


def evaluate(clew, expected):
    """Judges the windows of the history, of a long one the last; what is open then."""
    clew.flush()
    minutes = int(expected.history[:-1]) * {'m': 1, 'h': 60}[expected.history[-1]]
    since = f'now-{min(minutes, MOST_MINUTES)}m'
    http.post(f'{clew.http}/api/v1/findings/evaluate?from={since}', {'from': since}, timeout=EVALUATE_LIMIT_S).expect(200)
    answer = clew.get('findings', state='open', limit=1000)
    assert answer['evaluated_ns'], 'nothing was evaluated'
    return answer


def is_about(subject, names):
    words = set(re.split(r'[^\w.-]+', subject['id'])) | set(subject['services'])
    return names <= words


# --- the table and the matrix --------------------------------------------------------------------

def complete():
    ran = subprocess.run([binary(), 'demo', '--fault', '?'], capture_output=True, text=True, timeout=30)
    assert ran.returncode == 2, ran
    offered = set(re.search(r'possible values: ([^\]]*)\]', ran.stderr).group(1).split(', '))
    assert offered == {'none', *FAULTS}, offered ^ {'none', *FAULTS}


def documented():
    assert table() in DOCS.read_text(), 'the table differs: put there what `findings.py --table` prints'


def table():
    lines = ['| `--fault` | Rule | What is injected |', '|---|---|---|', f'| `none` | | {NONE.injected} |']
    return '\n'.join(lines + [f'| `{name}` | {fault.rule} | {fault.injected} |' for name, fault in FAULTS.items()])


def write(matrix):
    ARTIFACTS.mkdir(exist_ok=True)
    (ARTIFACTS / 'governance-matrix.json').write_text(json.dumps(matrix, indent=1, ensure_ascii=False) + '\n')
    (ARTIFACTS / 'governance-matrix.md').write_text(markdown(matrix) + '\n')


def markdown(matrix):
    """Findings by fault and rule; the rule that is expected in brackets."""
    lines = [f'| fault | {" | ".join(RULES)} |', '|---' * (len(RULES) + 1) + '|']
    for name, row in matrix.items():
        counts = [str(row['rules'].get(rule, '')) for rule in RULES]
        cells = [f'[{count or 0}]' if rule == row['expected'] else count for rule, count in zip(RULES, counts)]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
