"""A private PostgreSQL on a free port of the loopback: created, stopped hard, started again, thrown away."""
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PASSWORD = 'pass-word-of-the-tests'


def programs():
    """Folder of the newest initdb; Debian keeps it out of the PATH."""
    found = sorted(Path('/usr/lib/postgresql').glob('*/bin'), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    there = shutil.which('initdb')
    if not there:
        raise SystemExit('there is no PostgreSQL: run `tests/run postgres`, which installs it')
    return Path(there).parent


def psql(url, statement):
    """Rows as lines of values with `|` between."""
    done = subprocess.run([programs() / 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', statement, url],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, f'{statement}: {done.stderr}'
    return done.stdout.splitlines()


class Cluster:
    def __enter__(self):
        self.root = Path(tempfile.mkdtemp(prefix='clew-postgres-'))
        try:
            self._create()
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self._run('pg_ctl', '-D', self.data, '-m', 'immediate', 'stop', check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def _create(self):
        self.data = self.root / 'data'
        secret = self.root / 'password'
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            # initdb refuses root.
            owner = pwd.getpwnam('postgres')
            for path in (self.root, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        self._run('initdb', '-D', self.data, '-U', 'clew', '-A', 'scram-sha-256', f'--pwfile={secret}', '-E', 'UTF8',
                  '--no-locale', '--no-sync')
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]

    def start(self):
        options = f'-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.root}'
        self._run('pg_ctl', '-D', self.data, '-o', options, '-l', self.root / 'log', '-w', '-t', '60', 'start')
        return self

    def stop(self, mode='immediate'):
        """`immediate` is what a crash leaves: connections are cut, and the next start recovers."""
        self._run('pg_ctl', '-D', self.data, '-m', mode, '-w', 'stop')

    def create(self, database):
        """A new database; its URL."""
        self.sql(f'CREATE DATABASE {database}')
        return self.url(database)

    def url(self, database):
        return f'postgres://clew:{PASSWORD}@127.0.0.1:{self.port}/{database}'

    def sql(self, statement, database='postgres'):
        return psql(self.url(database), statement)

    def _run(self, program, *arguments, check=True):
        command = [programs() / program, *arguments]
        if os.getuid() == 0:
            command = ['runuser', '-u', 'postgres', '--', *command]
        # pg_ctl leaves a server behind, which must not hold our pipes open.
        with open(self.root / f'{program}.out', 'ab') as out:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd='/', check=False)
        if check and done.returncode:
            said = (self.root / f'{program}.out').read_text(errors='replace')[-1000:]
            raise AssertionError(f'{program} {arguments}: exit code {done.returncode}\n{said}')
