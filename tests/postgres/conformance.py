"""The black-box suites of ../shared/conformance on a catalogue in PostgreSQL.

    conformance.py FOLDER SUITE…
"""
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cluster import Cluster  # noqa: E402
from harness.server import binary  # noqa: E402

STAND_IN = Path(__file__).resolve().parent / 'clew'


def main():
    folder, suites, failed = Path(sys.argv[1]), sys.argv[2:], []
    with Cluster() as cluster:
        environment = os.environ | {'CLEW_BIN': str(STAND_IN), 'POSTGRES_TEST_BINARY': str(binary()),
                                    'POSTGRES_TEST_URL': cluster.create('conformance')}
        for suite in suites:
            run = subprocess.run([sys.executable, '-B', folder / 'runner' / 'run', suite], env=environment, check=False)
            if run.returncode:
                failed.append(suite)
        lakes = cluster.sql("SELECT count(*) FROM pg_tables WHERE tablename = 'clew_segment'", 'conformance')
        assert int(lakes[0]) >= len(suites), f'only {lakes} lakes were made: the suites did not use the database'
    print(f'postgres conformance: {len(suites) - len(failed)} passed, {len(failed)} failed {failed or ""}')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
