"""Runs a command with a database of its own: its URL is $CLEW_TEST_POSTGRES.

    run.py COMMAND…
"""
import os
import subprocess
import sys

from cluster import Cluster

with Cluster() as cluster:
    environment = os.environ | {'CLEW_TEST_POSTGRES': cluster.create('tests')}
    sys.exit(subprocess.run(sys.argv[1:], env=environment, check=False).returncode)
