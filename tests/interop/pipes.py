"""A session over standard input and output: `pipes.py serve` accepts there, `pipes.py ask` dials; see pipes_test.py."""

import sys

import sealwire
from sealwire import sync

identity = sealwire.Identity.from_seed(bytes([7]) * 32)
with sync.Node(network="pipes", allow="anyone", identity=identity if sys.argv[1] == "serve" else None) as node:
    node.route("echo")(lambda request: request.body)
    node.serve_in_background()
    if sys.argv[1] == "serve":
        node.accept_pipe(sys.stdin.buffer, sys.stdout.buffer).wait_closed()
    else:
        peer = node.connect_pipe(identity.id, sys.stdin.buffer, sys.stdout.buffer)
        bodies = [bytes([10**power % 251]) * 10**power for power in range(7)]
        compared = sum(peer.request("echo", body).body == body for body in bodies)
        peer.close()
        print("compared", compared, file=sys.stderr)
