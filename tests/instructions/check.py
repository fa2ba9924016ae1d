"""Counts the instructions of the hot paths under valgrind, and fails where a path costs more than is expected.

    check.py [PATH...]              compares with expected.json
    check.py --update [PATH...]     writes what was found into it
    check.py --prove PATH           a slowdown planted in that path must be found
    check.py --profile FOLDER PATH  leaves the profile in a folder, for callgrind_annotate FOLDER/profile.2

Instructions, not time: the same program does the same work on a busy machine. Libraries choose their code by what
the processor can do, so another kind of processor may need figures of its own.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, 'expected.json')
TWICE = 'CLEW_PLANT_TWICE'


def main(arguments):
    options = {one for one in arguments if one.startswith('--')}
    names = [one for one in arguments if not one.startswith('--')]
    with open(EXPECTED, encoding='utf-8') as file:
        expected = json.load(file)
    program = build()
    if '--profile' in options:
        folder, *paths = names
        os.makedirs(folder, exist_ok=True)
        count(program, paths, folder)
        return 0
    if '--prove' in options:
        return prove(program, expected, names)
    found = count(program, names)
    if '--update' in options:
        expected['paths'].update({name: update(expected, name, *one) for name, one in found.items()})
        with open(EXPECTED, 'w', encoding='utf-8') as file:
            file.write(json.dumps(expected, indent=2) + '\n')
    missing = [] if names else sorted(set(expected['paths']) - set(found))
    for name in missing:
        print(f'{name} is expected and was not counted')
    return 1 if compare(expected, found) or missing else 0


def build():
    """The program that runs the paths, with the profile and features of everything else."""
    command = ['cargo', 'test', '--release', '--locked', '--workspace', '--bench', 'instructions', '--no-run', '--quiet',
               '--message-format=json']
    built = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=os.path.join(HERE, '..', '..'))
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith(b'{')]
    return next(one['executable'] for one in messages
                if one.get('executable') and one['target']['name'] == 'instructions')


def count(program, names, folder=None, twice=''):
    """Instructions of a unit, and what a unit is, by path."""
    with tempfile.TemporaryDirectory() as temporary:
        out = os.path.join(folder or temporary, 'profile')
        # A dump holds what was done since the one before: the second, fourth … are the paths.
        valgrind = ['valgrind', '--tool=callgrind', f'--callgrind-out-file={out}', '--compress-strings=no',
                    '--dump-before=instructions::begin', '--dump-before=instructions::end']
        run = subprocess.run([*valgrind, program, *names], env={**os.environ, TWICE: twice}, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if run.returncode:
            sys.exit(f'valgrind failed:\n{run.stderr}')
        paths = [line.split() for line in run.stdout.splitlines()]
        if not paths:
            sys.exit(f'there is no path of these names: {names}')
        return {name: (total(f'{out}.{2 * number}') / int(units), unit)
                for number, (name, units, unit) in enumerate(paths, 1)}


def total(dump):
    with open(dump, encoding='utf-8', errors='replace') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('totals:'))


def update(expected, name, instructions, unit):
    before = expected['paths'].get(name, {})
    return {'instructions': round(instructions), 'per': unit, 'tolerance_percent': before.get('tolerance_percent', 3)}


def compare(expected, found):
    """Prints the table; the paths that cost more than they may."""
    worse = []
    print(f'{"instructions":<18} {"a unit":<8} {"expected":>12} {"found":>12} {"ratio":>7}')
    for name, (instructions, unit) in found.items():
        known = expected['paths'].get(name)
        if not known:
            print(f'{name:<18} {unit:<8} {"unknown":>12} {instructions:>12,.0f}          run with --update')
            worse.append(name)
            continue
        ratio, tolerance = instructions / known['instructions'], known['tolerance_percent'] / 100
        verdict = ''
        if ratio > 1 + tolerance:
            verdict = f'  WORSE than the {known["tolerance_percent"]}% it may be'
            worse.append(name)
        elif ratio < 1 - tolerance:
            verdict = '  better: run with --update'
        print(f'{name:<18} {unit:<8} {known["instructions"]:>12,} {instructions:>12,.0f} {ratio:>7.3f}{verdict}')
    return worse


def prove(program, expected, names):
    for name in names:
        planted = compare(expected, count(program, [name], twice=name))
        if planted != [name]:
            print(f'the work of {name} was done twice and was not found')
            return 1
        print(f'ok: {name} done twice is found')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
