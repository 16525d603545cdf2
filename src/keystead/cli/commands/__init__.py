"""The commands: a table. To add one, add a module and a row here."""

from __future__ import annotations

from keystead.cli.group import Row

FIRST, SERVER, KEPT, SHOWN = "The first minute", "A server", "What it keeps", "What must survive, and can be shown"

COMMANDS: dict[str, Row] = {
    "dev": Row("serve:dev", "Start a development server and say what to paste", FIRST),
    "env": Row("environment:env", "Print what points a door's clients here", FIRST),
    "run": Row("environment:run", "Run a command that is pointed here", FIRST),
    "init": Row("init:init", "Make a new installation", SERVER),
    "ceremony": Row("ceremony:ceremony", "Make an installation, or import a key, before witnesses", SERVER),
    "serve": Row("serve:serve", "Serve an installation", SERVER),
    "status": Row("steering:status", "Say how the server is", SERVER),
    "unseal": Row("steering:unseal", "Open a sealed server, with a passphrase or shares", SERVER),
    "seal": Row("seal:seal", "Have the server forget what opens it; and what its seals are", SERVER),
    "key": Row("key:key", "List, create, describe, disable and destroy keys", KEPT),
    "principal": Row("principal:principal", "Who may use them: users, roles, access keys", KEPT),
    "token": Row("token:token", "Tokens of Vault's clients", KEPT),
    "policy": Row("policy:policy", "Read and put the policy of a key", KEPT),
    "approval": Row("approval:approval", "What others have to approve before it is done", KEPT),
    "keyring": Row("keyring:keyring", "Keyrings, and the addresses bound to them", KEPT),
    "hsm": Row("hsm:hsm", "Hardware security modules, and what keys in them can do", KEPT),
    "namespace": Row("namespace:namespace", "Tenants below a tenant, by path", KEPT),
    "audit": Row("audit:audit", "Follow, verify and prove the record of every access", SHOWN),
    "backup": Row("custody:backup", "Copy the database into one file", SHOWN),
    "restore": Row("custody:restore", "Put back what is missing, from an old backup", SHOWN),
    "custody": Row("drill:custody", "Custodians prove that their shares still exist", SHOWN),
    "pcrs": Row("pcrs:pcrs", "Allow other PCRs to a TPM seal, after an update of the firmware", SHOWN),
    "prove": Row("custody:prove", "Show that what was destroyed stays so", SHOWN),
    "slot": Row("slot:slot", "The erasable secret beside the database", SHOWN),
}
