"""What secrets look like: one row for each documented token format, matched on every reading of what leaves.

The formats are those that issuers document (prefix, alphabet, length) so that leaked tokens can be found. A row is
here only if ordinary API traffic does not look like it: entropy alone is no row.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SECRET_RULES: Final[tuple[tuple[str, bytes], ...]] = (
    # clouds
    ("aws-access-key-id", rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    (
        "aws-secret-key",
        rb"(?i:aws_?secret_?(?:access_?)?key|secretaccesskey)[\"' \t]{0,4}[:=][\"' \t]{0,4}[A-Za-z0-9/+]{40}\b",
    ),
    (
        "aws-session-token",
        rb"(?i:aws_?session_?token|x-amz-security-token)[\"' \t]{0,4}[:=][\"' \t]{0,4}[A-Za-z0-9/+=]{64}",
    ),
    ("aws-bedrock-key", rb"\bABSK[A-Za-z0-9+/]{64,}"),
    ("gcp-api-key", rb"\bAIza[A-Za-z0-9_-]{35}"),
    ("gcp-oauth-token", rb"\bya29\.[A-Za-z0-9_-]{30,}"),
    ("gcp-oauth-secret", rb"\bGOCSPX-[A-Za-z0-9_-]{28}"),
    ("gcp-refresh-token", rb"\b1//0[A-Za-z0-9_-]{40,}"),
    ("azure-storage-key", rb"(?i:accountkey|sharedaccesskey)=[A-Za-z0-9+/]{40,}={0,2}"),
    ("azure-sas", rb"[?&]sig=[A-Za-z0-9%+/]{40,}"),
    ("azure-client-secret", rb"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    ("alibaba-access-key", rb"\bLTAI[A-Za-z0-9]{20}\b"),
    ("digitalocean-token", rb"\bdo[oprt]_v1_[a-f0-9]{64}"),
    ("heroku-key", rb"\bHRKU-[A-Za-z0-9_-]{36,}"),
    ("cloudflare-origin-ca-key", rb"\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
    ("fly-token", rb"\bfm[12][ar]?_[A-Za-z0-9+/]{60,}"),
    ("render-key", rb"\brnd_[A-Za-z0-9]{32}\b"),
    # source code and packages
    ("github-token", rb"\bgh[opsur]_[A-Za-z0-9]{36}"),
    ("github-fine-grained-token", rb"\bgithub_pat_[A-Za-z0-9_]{60,}"),
    ("gitlab-token", rb"\bgl(?:pat|rt|dt|ft|soat|ptt|cbt|agent|imt|oas)-[A-Za-z0-9_-]{20,}"),
    ("bitbucket-token", rb"\bATBB[A-Za-z0-9]{28,}"),
    ("atlassian-token", rb"\bATATT3[A-Za-z0-9_=-]{60,}"),
    ("npm-token", rb"\bnpm_[A-Za-z0-9]{36}"),
    ("pypi-token", rb"\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    ("rubygems-key", rb"\brubygems_[a-f0-9]{48}"),
    ("crates-token", rb"\bcio[A-Za-z0-9]{32}\b"),
    ("docker-token", rb"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    ("sourcegraph-token", rb"\bsgp_(?:[a-f0-9]{16}_|local_)?[a-f0-9]{40}"),
    ("circleci-token", rb"\bCCI(?:PAT|PRJ)_[A-Za-z0-9]{20,}_[a-f0-9]{40}"),
    ("buildkite-token", rb"\bbk[au]a_[A-Za-z0-9]{40}"),
    ("pulumi-token", rb"\bpul-[a-f0-9]{40}"),
    ("terraform-token", rb"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    # models
    ("openai-key", rb"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}"),
    ("anthropic-key", rb"\bsk-ant-[a-z]{3,5}[0-9]{2}-[A-Za-z0-9_-]{80,}"),
    ("huggingface-token", rb"\b(?:hf|api_org)_[A-Za-z]{34}\b"),
    ("replicate-token", rb"\br8_[A-Za-z0-9]{37}\b"),
    ("groq-key", rb"\bgsk_[A-Za-z0-9]{52}\b"),
    ("perplexity-key", rb"\bpplx-[A-Za-z0-9]{48}"),
    ("openrouter-key", rb"\bsk-or-v1-[a-f0-9]{64}"),
    ("xai-key", rb"\bxai-[A-Za-z0-9]{80}"),
    # messages
    ("slack-token", rb"\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{20,}"),
    ("slack-app-token", rb"\bxapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{32,}"),
    ("slack-webhook", rb"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]{20,}"),
    ("discord-webhook", rb"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}"),
    ("discord-bot-token", rb"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}\b"),
    ("telegram-bot-token", rb"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    ("teams-webhook", rb"webhook\.office\.com/webhookb2/[a-f0-9-]{36}@[a-f0-9-]{36}/IncomingWebhook/[a-f0-9]{32}"),
    ("twilio-key", rb"\bSK[a-f0-9]{32}\b"),
    ("sendgrid-key", rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("mailgun-key", rb"\bkey-[a-f0-9]{32}\b"),
    ("mailchimp-key", rb"\b[a-f0-9]{32}-us[0-9]{1,2}\b"),
    ("brevo-key", rb"\bxkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    ("resend-key", rb"\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}\b"),
    # money
    ("stripe-key", rb"\b[rs]k_(?:live|test|prod)_[A-Za-z0-9]{20,}"),
    ("stripe-webhook-secret", rb"\bwhsec_[A-Za-z0-9+/]{32,}"),
    ("square-token", rb"\b(?:EAAA[A-Za-z0-9_-]{60}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43})\b"),
    ("shopify-token", rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("plaid-token", rb"\baccess-(?:sandbox|development|production)-[a-f0-9-]{36}"),
    ("shippo-token", rb"\bshippo_(?:live|test)_[a-f0-9]{40}"),
    # operations
    ("vault-token", rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("doppler-token", rb"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,}"),
    ("onepassword-token", rb"\bops_eyJ[A-Za-z0-9+/]{100,}"),
    ("grafana-token", rb"\bgl(?:c_[A-Za-z0-9+/]{32,}|sa_[A-Za-z0-9]{32}_[a-f0-9]{8})"),
    ("newrelic-key", rb"\bNR(?:AK|II|JS|AL)-[A-Za-z0-9_-]{19,}"),
    ("sentry-token", rb"\bsntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    ("datadog-header", rb"(?i:dd-(?:api|application)-key)[\"' \t]{0,4}[:=][\"' \t]{0,4}[a-f0-9]{32,40}\b"),
    ("pagerduty-header", rb"\bToken token=[A-Za-z0-9_+-]{18,}"),
    ("tailscale-key", rb"\btskey-[a-z]+-[A-Za-z0-9]{10,}-[A-Za-z0-9]{20,}"),
    ("databricks-token", rb"\bdapi[a-f0-9]{32}\b"),
    ("snowflake-pat", rb"(?i:snowflake)[^\n]{0,40}\beyJ[A-Za-z0-9_-]{20,}\.eyJ"),
    ("planetscale-token", rb"\bpscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.-]{32,}"),
    ("supabase-key", rb"\bsb(?:p_[a-f0-9]{40}|_secret_[A-Za-z0-9_-]{20,})"),
    ("neon-key", rb"\bnapi_[a-z0-9]{60,}"),
    ("confluent-secret", rb"\bcflt[A-Za-z0-9+/]{60}"),
    # work
    ("linear-key", rb"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("notion-token", rb"\b(?:ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43})\b"),
    ("airtable-token", rb"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("asana-token", rb"\b[0-9]/[0-9]{16}(?:/[0-9]{16})?:[a-f0-9]{32}\b"),
    ("figma-token", rb"\bfig[duo]_[A-Za-z0-9_-]{40,}"),
    ("postman-key", rb"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("dropbox-token", rb"\bsl\.[A-Za-z0-9_-]{120,}"),
    ("hubspot-token", rb"\bpat-(?:na|eu)[0-9]-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}"),
    ("contentful-token", rb"\bCFPAT-[A-Za-z0-9_-]{43}"),
    ("zendesk-basic", rb"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+/token:[A-Za-z0-9]{40}\b"),
    # keys and generic forms
    ("private-key", rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ("putty-key", rb"PuTTY-User-Key-File-[23]:"),
    ("age-secret-key", rb"\bAGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}"),
    ("ssh-shadow-hash", rb"\b[a-z_][a-z0-9_-]{0,31}:\$(?:1|2[aby]|5|6|y|gy)\$[A-Za-z0-9./$=]{20,}:[0-9]*:"),
    (
        "kubernetes-token",
        rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]*(?:c3lzdGVtOnNlcnZpY2VhY2NvdW50|zeXN0ZW06c2VydmljZWFjY291bn|N5c3RlbTpzZXJ2aWNlYWNjb3Vud)",
    ),
    ("json-web-token", rb"\beyJ[A-Za-z0-9_-]{12,}\.eyJ[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{40,}"),
    ("url-password", rb"\b[a-z][a-z0-9+.-]{2,15}://[A-Za-z0-9._~%-]{1,64}:[^\s/@:\"'<>]{6,128}@[A-Za-z0-9.-]+"),
    ("netrc", rb"\bmachine\s+\S{1,128}\s+login\s+\S{1,128}\s+password\s+\S{6,}"),
    ("basic-authorization", rb"(?i:authorization)[\"' \t]{0,4}[:=][\"' \t]{0,4}(?i:basic) [A-Za-z0-9+/]{12,}={0,2}"),
    ("bearer-authorization", rb"(?i:authorization)[\"' \t]{0,4}[:=][\"' \t]{0,4}(?i:bearer) [A-Za-z0-9._~+/-]{20,}"),
)

_TELLING_ENDS: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "azure-client-secret": rb"[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        "terraform-token": rb"\.atlasv1\.[A-Za-z0-9_-]{60,}",
        "discord-bot-token": rb"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}\b",
        "telegram-bot-token": rb":AA[A-Za-z0-9_-]{33}\b",
        "mailchimp-key": rb"-us[0-9]{1,2}\b",
        "asana-token": rb":[a-f0-9]{32}\b",
        "zendesk-basic": rb"/token:[A-Za-z0-9]{40}\b",
        "ssh-shadow-hash": rb":\$(?:1|2[aby]|5|6|y|gy)\$[A-Za-z0-9./$=]{20,}:[0-9]*:",
        "url-password": rb"://[A-Za-z0-9._~%-]{1,64}:[^\s/@:\"'<>]{6,128}@[A-Za-z0-9.-]+",
    }
)
"""The ends of rules that begin with what begins in every word. Text of an end occurs wherever text of its rule does."""

SECRET_SIGN: Final = b"|".join(_TELLING_ENDS.get(name, pattern) for name, pattern in SECRET_RULES)
"""Occurs wherever a rule does, and is told in half the time of all rules."""
