"""Programs in two languages over two pipes: the output of each is the input of the other, each as server and as client.

Arguments as of pairs.py; the programs are pipes.cpp, pipes.py and pipes.mjs.
"""

import os
import subprocess
import sys

import pairs


def agree(server, client, environment, _counts):
    environment = {**os.environ, **environment}
    there, back = os.pipe(), os.pipe()
    serving = subprocess.Popen([*server, "serve"], stdin=there[0], stdout=back[1], env=environment)
    asking = subprocess.Popen([*client, "ask"], stdin=back[0], stdout=there[1], stderr=subprocess.PIPE, text=True, env=environment)
    for descriptor in (*there, *back):
        os.close(descriptor)
    try:
        said = asking.communicate(timeout=pairs.PATIENCE_S)[1]
        if asking.returncode or said != "compared 7\n":
            yield f"the client ended with {asking.returncode}: {said}"
        if serving.wait(pairs.PATIENCE_S):
            yield f"the server ended with {serving.returncode}"
    except subprocess.TimeoutExpired as error:
        yield str(error)
    finally:
        for process in (serving, asking):
            process.kill()
            process.wait()


pairs.agree = agree
sys.exit(pairs.main())
