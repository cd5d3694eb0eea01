"""The example of the README as an API that lives as long as its standard input.

a line in    { issuer, audience, token }
a line out   { ok: true, claims } or { ok: false, description }
"""

import json
import sys

from offline import Verifier

verifier = None
for line in sys.stdin:
    question = json.loads(line)
    verifier = verifier or Verifier(question["issuer"], question["audience"])
    try:
        answer = {"ok": True, "claims": verifier.verify(question["token"])}
    except Exception as error:  # Every failure is the caller's result.
        answer = {"ok": False, "description": str(error)}
    print(json.dumps(answer), flush=True)
