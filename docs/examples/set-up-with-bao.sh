#!/bin/sh
# An installation set up, opened, rekeyed and sealed by OpenBao's command alone.
# Needs a `keystead serve DIR --listen vault=HOST:PORT` on an empty DIR, BAO_ADDR, the bao command, and nothing else.
set -eu
said() { python3 -c 'import json, sys; print(json.load(sys.stdin)["'"$1"'"]'"${2:-}"')'; }

# Three custodians, any two of whom open it. Whoever runs this sees all shares: once, and then hands them out.
made=$(bao operator init -format=json -key-shares=3 -key-threshold=2)
BAO_TOKEN=$(echo "$made" | said root_token)
export BAO_TOKEN
for n in 0 2; do
    bao operator unseal "$(echo "$made" | said unseal_keys_b64 "[$n]")" > unsealed.txt
done
grep -E "^Sealed +false" unsealed.txt

bao secrets enable transit
bao write -f transit/keys/app > made.txt
sealed=$(bao write -field=ciphertext transit/encrypt/app plaintext="$(printf hello | base64)")

# Other custodians: the new shares count once two of them have been given back.
begun=$(bao operator rekey -format=json -init -verify -key-shares=3 -key-threshold=2 2> warned.txt)
nonce=$(echo "$begun" | said nonce)
for n in 0 1; do
    came=$(bao operator rekey -format=json -nonce="$nonce" "$(echo "$made" | said unseal_keys_b64 "[$n]")")
done
nonce=$(echo "$came" | said verification_nonce)
for n in 1 2; do
    bao operator rekey -verify -nonce="$nonce" "$(echo "$came" | said keys "[$n]")" > verified.txt
done

# Sealed, it answers nobody; and the shares of before open nothing any more.
bao operator seal
if bao read transit/keys/app > refused.txt 2>&1; then echo "it should be sealed" >&2; exit 1; fi
bao operator unseal "$(echo "$made" | said unseal_keys_b64 "[0]")" > refused.txt
if bao operator unseal "$(echo "$made" | said unseal_keys_b64 "[1]")" > refused.txt 2>&1; then
    echo "the old shares should be of no use" >&2
    exit 1
fi
for n in 0 2; do
    bao operator unseal "$(echo "$came" | said keys "[$n]")" > unsealed.txt
done
opened=$(bao write -field=plaintext transit/decrypt/app ciphertext="$sealed")
echo "opened again: $(echo "$opened" | base64 -d)"
rm unsealed.txt made.txt warned.txt verified.txt refused.txt
