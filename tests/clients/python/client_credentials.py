"""Authlib asks for a token of its own (RFC 6749 §4.4).

stdin   { issuer, client_id, client_secret | private_jwk, auth, scope?, resource? }
stdout  { ok, tokens }
"""

from rp import discover, run, session_for


def act(job, report):
    report["step"] = "discovery"
    metadata = discover(job)
    session = session_for(job, metadata)
    report["step"] = "token"
    wanted = {name: job[name] for name in ("scope", "resource") if name in job}
    report["tokens"] = dict(
        session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", **wanted)
    )


run(act)
