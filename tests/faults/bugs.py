"""A test that cannot fail proves nothing: each is run against a bug planted for it first."""


def must_fail(report, bug, check, *arguments):
    """A case that passes where `check` finds fault with the planted bug."""
    def inverted():
        try:
            check(*arguments)
        except AssertionError as error:
            print(f'          found: {str(error).splitlines()[0][:160]}', flush=True)
            return
        raise AssertionError(f'the planted {bug} was not noticed: this test proves nothing')
    report.case(f'a planted {bug} is noticed', inverted)
