"""Counts cases of a test program and says which failed."""
import sys
import traceback


class Report:
    """Each case is one line; `finish` prints the count and gives the exit code."""

    def __init__(self, name):
        self.name, self.passed, self.failed, self.skipped = name, 0, 0, 0

    def case(self, title, check, *arguments):
        """Runs the check; an exception of any kind fails the case, not the run."""
        try:
            check(*arguments)
        except AssertionError as error:
            self._failed(title, error)
        except Exception:
            self._failed(title, traceback.format_exc(limit=3))
        else:
            self.passed += 1
            print(f'  ok      {title}', flush=True)

    def skip(self, title, reason):
        self.skipped += 1
        print(f'  SKIPPED {title}: {reason}', flush=True)

    def _failed(self, title, reason):
        self.failed += 1
        print(f'  FAILED  {title}: {reason}', flush=True)

    def finish(self):
        print(f'{self.name}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped')
        sys.exit(1 if self.failed or not self.passed + self.skipped else 0)
