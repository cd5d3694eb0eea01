"""Compares the API with what it says of itself: Schemathesis asks whatever the description allows, and what it does not.

The job names the description (`url`), who asks (`token` or `key`, or nobody), values for parts of paths (`path`), the
operations (`only` or `without`, as regular expressions of their ids), the number of tries of each (`examples`), and
whether calls follow from what others answered (`stateful`).
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

# What may be wrong with a request that reads as described: who asks, what is there, and values that only the server can
# judge (a token, a password, the name of a role). Never 400: that would say the description is wrong.
JUDGED = ["2xx", 401, 403, 404, 409, 422]

job = json.load(sys.stdin)
settings = {
    "max-failures": 20,
    "warnings": False,
    "request-timeout": 20,
    "generation": {"deterministic": True, "max-examples": job["examples"], "database": "none"},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": JUDGED},
        # Whoever sends nonsense may also be told that it is not theirs to send, or that it came too often.
        "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 409, 414, 415, 422, 431]},
    },
    "phases": {"stateful": {"enabled": job.get("stateful", True), "max-steps": 4}},
}


def toml(table, prefix=""):
    """Plain values, and tables of them."""
    lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items() if not isinstance(value, dict)]
    for name, value in table.items():
        if isinstance(value, dict):
            path = f"{prefix}{json.dumps(name)}"
            lines += [f"[{path}]", toml(value, f"{path}.")]
    return "\n".join(lines)


if job.get("path"):
    settings["parameters"] = {f"path.{name}": value for name, value in job["path"].items()}
schemes = {}
if job.get("token"):
    schemes["token"] = {"bearer": job["token"]}
if job.get("key"):
    schemes["key"] = {"api_key": job["key"]}
if schemes:
    settings["auth"] = {"openapi": schemes}

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "schemathesis.toml"
    file.write_text(toml(settings) + "\n")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(file), "run", job["url"]]
    command += ["--checks", "all", "--no-color", "--no-shrink"]
    for option, ids in (("include", job.get("only")), ("exclude", job.get("without"))):
        command += [f"--{option}-operation-id-regex", f"^({ids})$"] if ids else []
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)

print(json.dumps({"code": ran.returncode, "output": ran.stdout + ran.stderr}))
