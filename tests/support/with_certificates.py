#!/usr/bin/env python3
"""Runs a command with fresh certificates, in a folder named by CERTIFICATES: with_certificates.py MAKER COMMAND [ARGUMENT...]."""

import os
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory(prefix="sealwire-certificates-") as folder:
    subprocess.run([sys.argv[1], folder], check=True)
    sys.exit(subprocess.run(sys.argv[2:], env={**os.environ, "CERTIFICATES": folder}).returncode)
